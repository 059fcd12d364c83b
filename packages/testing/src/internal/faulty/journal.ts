/** What happened to a faulty provider: counts for ever, and the latest requests one by one. */

/**
 * How far a request has come. `answered`: to its end. `aborted`: its client left before that. `broken`: the provider broke
 * it off, as its behavior said.
 */
export type State = "reading" | "answering" | "answered" | "aborted" | "broken"

/** One request, and what became of it. Times are milliseconds by the machine's monotonic clock, one for all processes. */
export interface Received {
  /** Counted from 1. */
  readonly number: number
  /** What the client sent as `x-faulty-id`, or `#` and the number. */
  readonly id: string
  /** Which connection it came on, counted from 1. */
  readonly connection: number
  readonly method: string
  /** The path, with its query. */
  readonly url: string
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  /** As far as it was read, and at most 64 KiB of it. */
  readonly body: string
  /** The name of the behavior that it got, once that is decided. */
  readonly behavior: string | undefined
  readonly state: State
  readonly receivedAt: number
  /** When the answer's head was sent. */
  readonly headAt: number | undefined
  /** When it was answered, aborted or broken. */
  readonly endedAt: number | undefined
  /** How the client left: in an orderly way, or by a reset. */
  readonly abortedBy: "close" | "reset" | undefined
  /** Bytes of the answer's body that were handed to the connection. */
  readonly sent: number
}

export interface Counts {
  /** Sockets that are open now. */
  readonly open: number
  /** Connections that were ever accepted, those included that were closed at once. */
  readonly accepted: number
  /** Requests that ever came. */
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
  /** Goes up with each change. */
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

  /** Those in flight, and the latest of those that are over; in the order in which they came. */
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

  /** The first end counts; answers whether it was this one. */
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

  /** Leaves out the requests that are over. The counts stay. */
  forget(): void {
    this.over.clear()
    this.changed()
  }

  changed(): void {
    this.version++
    // Who listens again when told is not told again.
    const listeners = [...this.listeners]
    for (const listener of listeners) listener()
  }

  listen(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }
}
