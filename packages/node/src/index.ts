export * as NodeProbes from "./NodeProbes.ts"
export * as NodeTransport from "./NodeTransport.ts"
