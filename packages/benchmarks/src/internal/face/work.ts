/** Where a client runs: what it calls, in which form it wants the answer, and where its modules come from. */
export interface Place {
  /** The upstream's address. */
  readonly origin: string
  /** Whether the answer comes as a stream of events, or whole. */
  readonly isStreamed: boolean
  /** Loads a module from the checkout that is measured. */
  readonly load: <A>(name: string) => Promise<A>
}

/** Makes calls, `width` at a time, for as long as `goesOn` allows the next one. */
export type Work = (width: number, goesOn: () => boolean) => Promise<unknown>

/** Events of a streamed answer. */
export const events = 1000

export const model = "gpt-5-mini"

const question = "Why do sockets leak? ".repeat(10)

/** Two messages. */
export const messages = [
  { role: "system", content: "Be brief." },
  { role: "user", content: question }
] as const

/** Where a client of OpenAI's protocol finds the upstream. */
export const baseUrl = ({ isStreamed, origin }: Place): string => `${origin}${isStreamed ? `/${events}` : ""}/v1`

export const checkTokens = (found: number | undefined): void => {
  if (found !== 180) throw new Error(`The answer counts ${found} tokens, not 180`)
}

export const checkEvents = (found: number): void => {
  if (found !== events) throw new Error(`The answer had ${found} events, not ${events}`)
}

/** The work of a client that returns promises. */
export const promised = (call: () => Promise<void>): Work => async (width, goesOn) => {
  await Promise.all(Array.from({ length: width }, async () => {
    while (goesOn()) await call()
  }))
}
