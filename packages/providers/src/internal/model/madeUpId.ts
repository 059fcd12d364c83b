/** Some servers send calls without ids, such as Google's. An answer's id and the numbers of choice and call make one that is stable. */
export const madeUpId = (response: string, choice: number, index: number): string =>
  `call_${response}_${choice}_${index}`
