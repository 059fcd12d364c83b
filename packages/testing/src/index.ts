export * as Behavior from "./Behavior.ts"
export * as FaultyProvider from "./FaultyProvider.ts"
export * as Simulation from "./Simulation.ts"
export * as VendorErrors from "./VendorErrors.ts"
