/** The measure of `LeakCheck.growth`, for proofs that measure by themselves. */
export * from "../../packages/testing/src/internal/leaks/slope.ts"
