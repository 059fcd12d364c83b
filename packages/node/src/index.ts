export * as NodeMetrics from "./NodeMetrics.ts"
export * as NodeProbes from "./NodeProbes.ts"
export * as NodeProxy from "./NodeProxy.ts"
export * as NodeTransport from "./NodeTransport.ts"
