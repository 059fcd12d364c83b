/** A provider that keeps a call in the phase that its path names first, until the client cancels it. */
import { Behavior, type FaultyProvider } from "@clawback/testing"
import { talking, talkingAnthropic, talkingOwn } from "./talking.ts"

/** In the protocol of the path; without one, in OpenAI's. */
const openAi = talking("5 millis")
const anthropic = talkingAnthropic("5 millis")
const own = talkingOwn(5)
const silentOwn = Behavior.delayedAfterHead(own, "1 hour")
const endless = (url: string) => url.endsWith("/messages") ? anthropic : url.includes("/models/") ? own : openAi

/** An object that never closes: bytes of a body that somebody has to wait for. */
const never = Behavior.ending(
  Behavior.inPieces(Behavior.bytes(`{"text":"${"x".repeat(4_000)}`), 16, "5 millis"),
  "stall"
)

const patience = Behavior.retryAfter("seconds", "30 seconds")
/** One refusal that is read to its end, so that its connection is kept, and one that is too large for that. */
const short = patience(Behavior.status(503, { body: { error: { message: "busy" } } }))
const long = patience(Behavior.huge(300_000, { status: 503 }))

const handler: FaultyProvider.Handler = ({ url }) => {
  const [, phase, id] = url.split("/")
  switch (phase) {
    case "first-byte":
      return url.includes("/models/") ? silentOwn : Behavior.stallAfterHead
    case "streaming":
      return endless(url)
    case "body":
      return never
    case "backing-off":
      return Number(id) % 2 === 0 ? short : long
    case "any":
      return Behavior.delayed(Behavior.delayedAfterHead(endless(url), "10 millis"), "20 millis")
    default:
      return Behavior.stall
  }
}

export default handler
