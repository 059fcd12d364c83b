/** An error, what it was caused by, what that was caused by, and so on, each once. */
export const causes = (error: unknown): ReadonlySet<object> => {
  const found = new Set<object>()
  for (let at = error; typeof at === "object" && at !== null && !found.has(at);) {
    found.add(at)
    at = "cause" in at ? at.cause : undefined
  }
  return found
}
