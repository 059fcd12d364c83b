/**
 * Nothing grows with the number of calls of a bare transport (see `growthOfCalls.ts`).
 *
 * `npm run prove -- growth [--scale small|full]`: full, the default, makes 100,000 calls. One in ten fails in one of thirteen
 * ways. Small makes 3,000.
 */
import { Deadline, Retry, Timeouts, type Transport } from "@clawback/core"
import { Behavior, FaultyProvider } from "@clawback/testing"
import { Effect, Stream } from "effect"
import * as Governed from "../support/governed.ts"
import * as Growth from "../support/growthOfCalls.ts"
import * as Proof from "../support/proof.ts"
import { scale } from "../support/scale.ts"

const isSmall = scale() === "small"
const policy = Retry.jittered({ attempts: 2, base: "2 millis", budget: Retry.unlimited })
const body = JSON.stringify({ messages: [{ role: "user", content: "Why do sockets leak? ".repeat(40) }] })
const words = Array.from({ length: 20 }, (_, i) => `word ${i}`)

const behaviors = {
  ok: Behavior.json({ text: "Because somebody forgot to close them. ".repeat(25) }),
  stream: Behavior.sse(words),
  endless: Behavior.sse(words, { every: "1 millis", endless: true }),
  large: Behavior.huge(300_000),
  reset: Behavior.reset,
  close: Behavior.close,
  stall: Behavior.stall,
  resetInBody: Behavior.cutAt(Behavior.huge(2_000), 500, "reset"),
  truncated: Behavior.cutAt(Behavior.huge(2_000), 500, "truncate"),
  closing: Behavior.thenClose(Behavior.json({ ok: true }), 0),
  busy: Behavior.status(503, { body: { error: "busy" } }),
  busyAtLength: Behavior.huge(300_000, { status: 503 }),
  noHttp: Behavior.raw("what?\r\n\r\n"),
  longHeader: Behavior.hugeHeader(40_000)
}

const request = (
  url: string,
  name: keyof typeof behaviors,
  timeouts?: Transport.Request["timeouts"]
): Transport.Request => ({ method: "POST", url, headers: FaultyProvider.header(name), body, timeouts })

const succeeds = (call: Growth.Call["call"]): Growth.Call => ({ call, outcome: "success" })
const fails = (call: Growth.Call["call"]): Growth.Call => ({ call, outcome: "failure" })

const calls = (url: string): Growth.Calls => {
  const whole = (name: keyof typeof behaviors) =>
    Deadline.within("30 seconds")(Governed.whole(request(url, name), policy))
  const stream = (name: keyof typeof behaviors) =>
    Governed.stream(request(url, name), policy).pipe(
      Timeouts.applyStream({ timeouts: {} }),
      Deadline.withinStream("30 seconds")
    )
  return {
    good: [
      ...Array.from({ length: 8 }, () => succeeds(whole("ok"))),
      succeeds(Stream.runDrain(stream("stream")))
    ],
    bad: [
      fails(whole("reset")),
      fails(whole("close")),
      fails(whole("resetInBody")),
      fails(whole("truncated")),
      { call: whole("closing"), outcome: "closes" },
      fails(whole("busy")),
      fails(whole("busyAtLength")),
      fails(whole("noHttp")),
      fails(whole("longHeader")),
      fails(Deadline.within("20 millis")(whole("stall"))),
      // Nothing of an answer comes in time.
      fails(Governed.whole(request(url, "stall", { firstToken: "20 millis" }), policy)),
      // Given up.
      succeeds(Stream.runDrain(Stream.take(stream("endless"), 3))),
      // Left unread.
      succeeds(Effect.scoped(Governed.execute(request(url, "large"))))
    ]
  }
}

Proof.run(
  "growth",
  isSmall ? 55 : 1800,
  Growth.prove(
    { provider: { behaviors }, open: (url) => Effect.succeed(calls(url)) },
    isSmall ? { total: 3_000, samples: 6, isJudged: false } : { total: 100_000, samples: 30, isJudged: true }
  )
)
