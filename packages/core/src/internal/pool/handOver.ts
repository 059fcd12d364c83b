/**
 * Resumes the callers that were lent an item, in the step in which another caller has returned it.
 *
 * Guarantees:
 * - They go on one after the other, in the order in which they were lent an item, and not inside of each other's returns.
 * - No caller goes on before its pool has done what it had to do in this step.
 * - After `batch` callers that needed no time, the others go on in a turn of their own. So other work is not kept waiting.
 */

/** A caller that was lent an item. */
export interface Resumable {
  /** Goes on at once. */
  readonly goOn: () => void
  /** Goes on in a later turn of its scheduler. */
  readonly goOnLater: () => void
}

const batch = 32

let ready: Array<Resumable> = []
/** How many pools are in the middle of a step. */
let steps = 0
let isResuming = false

const resume = (): void => {
  isResuming = true
  let at = 0
  try {
    while (at < ready.length && at < batch) (ready[at++] as Resumable).goOn()
  } finally {
    const others = ready
    ready = []
    isResuming = false
    for (; at < others.length; at++) (others[at] as Resumable).goOnLater()
  }
}

export const add = (caller: Resumable): void => {
  ready.push(caller)
}

/** A pool begins a step. `end` must follow in the same step of its fiber. */
export const begin = (): void => {
  steps++
}

export const end = (): void => {
  steps--
  if (steps === 0 && ready.length > 0 && !isResuming) resume()
}
