/**
 * A provider of OpenAI's protocol that rejects each call twice. The call's path has the kind of rejection first, and the id of
 * the call second. If it names an ending, the response is cut off in that way after some output, every time.
 */
import { Behavior, type FaultyProvider } from "@clawback/testing"
import { says, wholeAnswer } from "./server.ts"

const refusal = Behavior.status(429, { body: { error: { message: "Slow down", type: "requests", code: "busy" } } })
const events = { headers: { "content-type": "text/event-stream" } }
const streamed = Behavior.bytes(wholeAnswer, events)
const whole = Behavior.json({
  id: "chatcmpl-1",
  object: "chat.completion",
  model: "gpt-5",
  choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }]
})
const some = Behavior.bytes(says("Hello").repeat(2), events)

const refusals: Readonly<Record<string, Behavior.Behavior>> = {
  plain: refusal,
  seconds: Behavior.retryAfter(refusal, "seconds", "2 seconds"),
  date: Behavior.retryAfter(refusal, "date", "2 seconds"),
  millis: Behavior.retryAfter(refusal, "millis", "2 seconds"),
  hour: Behavior.retryAfter(refusal, "seconds", "1 hour")
}

const endings: Readonly<Record<string, Behavior.Behavior>> = {
  reset: Behavior.delayed(Behavior.cutAt(some, says("Hello").length, "reset"), "5 millis"),
  close: Behavior.cutAt(some, says("Hello").length, "close"),
  truncate: Behavior.cutAt(some, says("Hello").length, "truncate")
}

const attempts = new Map<string, number>()

const handler: FaultyProvider.Handler = ({ body, url }) => {
  const [, how = "", id = ""] = url.split("/")
  const ending = endings[how]
  if (ending !== undefined) return ending
  const made = (attempts.get(id) ?? 0) + 1
  attempts.set(id, made)
  if (made <= 2 || how === "always") return refusals[how] ?? refusal
  return body.includes("\"stream\":true") ? streamed : whole
}

export default handler
