/** The slope of `LeakCheck.growth`, for proofs with their own measurements. */
export * from "../../packages/testing/src/internal/leaks/slope.ts"
