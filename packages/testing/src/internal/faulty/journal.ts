/** The record of a faulty provider: counts of everything, and the latest requests one by one. */

/**
 * The state of a request. `answered`: its response has ended. `aborted`: its client left before that. `broken`: the provider cut
 * it off, as its behavior says.
 */
export type State = "reading" | "answering" | "answered" | "aborted" | "broken"

/** One request and its state. Times are milliseconds of the machine's monotonic clock, the same for all processes. */
export interface Received {
  /** Counted from 1. */
  readonly number: number
  /** What the client sent as `x-faulty-id`, or `#` and the number. */
  readonly id: string
  /** The number of its connection, counted from 1. */
  readonly connection: number
  readonly method: string
  /** The path, with its query. */
  readonly url: string
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  /** The part that was read, at most 64 KiB. */
  readonly body: string
  /** The name of its behavior, once it is chosen. */
  readonly behavior: string | undefined
  readonly state: State
  readonly receivedAt: number
  /** When the response's head was sent. */
  readonly headAt: number | undefined
  /** When it became answered, aborted or broken. */
  readonly endedAt: number | undefined
  /** How the client left: in an orderly way, or by a reset. */
  readonly abortedBy: "close" | "reset" | undefined
  /** Bytes of the response's body that were written to the connection. */
  readonly sent: number
}

export interface Counts {
  /** Sockets that are open now. */
  readonly open: number
  /** All connections that were accepted, also those that were closed at once. */
  readonly accepted: number
  /** All requests. */
  readonly received: number
  /** Requests that are neither answered, nor aborted, nor broken. */
  readonly inFlight: number
  readonly answered: number
  readonly aborted: number
  readonly broken: number
  /** Behaviors in the queue. */
  readonly queued: number
}

export type Entry = { -readonly [K in keyof Received]: Received[K] }

const isOver = (state: State) => state === "answered" || state === "aborted" || state === "broken"

export class Journal {
  /** Increases with each change. */
  version = 0
  private readonly inFlight = new Set<Entry>()
  /** In the order in which they ended. */
  private readonly over = new Set<Entry>()
  private readonly keep: number
  private readonly now: () => number
  private readonly listeners = new Set<() => void>()
  private readonly counters = { open: 0, accepted: 0, received: 0, answered: 0, aborted: 0, broken: 0 }

  constructor(keep: number, now: () => number) {
    this.keep = keep
    this.now = now
  }

  counts(queued: number): Counts {
    return { ...this.counters, inFlight: this.inFlight.size, queued }
  }

  /** The requests in flight and the latest ended ones, in the order of their arrival. */
  requests(): ReadonlyArray<Received> {
    const entries = [...this.over, ...this.inFlight].toSorted((one, other) => one.number - other.number)
    return Array.from(entries, (entry) => ({ ...entry }))
  }

  accepted(): void {
    this.counters.open++
    this.counters.accepted++
    this.changed()
  }

  closed(): void {
    this.counters.open--
    this.changed()
  }

  received(
    request: Pick<Received, "connection" | "headers" | "method" | "url"> & { readonly id: string | undefined }
  ): Entry {
    const number = ++this.counters.received
    const entry: Entry = {
      ...request,
      number,
      id: request.id ?? `#${number}`,
      body: "",
      behavior: undefined,
      state: "reading",
      receivedAt: this.now(),
      headAt: undefined,
      endedAt: undefined,
      abortedBy: undefined,
      sent: 0
    }
    this.inFlight.add(entry)
    this.changed()
    return entry
  }

  began(entry: Entry, behavior: string): void {
    if (isOver(entry.state)) return
    entry.state = "answering"
    entry.behavior = behavior
    this.changed()
  }

  headSent(entry: Entry): void {
    entry.headAt ??= this.now()
    this.changed()
  }

  /** Only the first end counts. Returns whether it was this one. */
  ended(entry: Entry, state: "answered" | "aborted" | "broken", abortedBy?: Received["abortedBy"]): boolean {
    if (isOver(entry.state)) return false
    entry.state = state
    entry.endedAt = this.now()
    entry.abortedBy = abortedBy
    this.counters[state]++
    this.inFlight.delete(entry)
    this.over.add(entry)
    for (const oldest of this.over) {
      if (this.over.size <= this.keep) break
      this.over.delete(oldest)
    }
    this.changed()
    return true
  }

  /** Removes the ended requests. The counts stay. */
  forget(): void {
    this.over.clear()
    this.changed()
  }

  changed(): void {
    this.version++
    // A listener that registers again during its call is not called again.
    const listeners = [...this.listeners]
    for (const listener of listeners) listener()
  }

  listen(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }
}
