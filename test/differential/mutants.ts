/** Mistakes that some program of the table must detect: `npm run mutate`. */
import type { Mutant } from "../support/mutant.ts"

const module = "Differential"

export const mutants: ReadonlyArray<Mutant> = [
  {
    module,
    file: "packages/core/src/internal/transport/exchange.ts",
    find: `const isReleased = ({ state }: Session.Session): boolean => state !== "open"`,
    replace: `const isReleased = ({ state }: Session.Session): boolean => state === "acquiring"`,
    rule: "a call whose scope another fiber has closed goes no further"
  },
  {
    module,
    file: "packages/core/src/internal/transport/connections.ts",
    find: "      pool.offers.ask(pool.waiting)\n",
    replace: "",
    rule: "as many calls as connections can each be tried again"
  },
  {
    module,
    file: "packages/core/src/internal/session/streamFiber.ts",
    find: "    if (fiber === undefined) {\n      this.finish(Exit.interrupt())\n      return Effect.void\n    }",
    replace: "    if (fiber === undefined) {\n      this.isEnding = false\n      return Effect.void\n    }",
    rule: "a stream whose scope is closed before its first pull does not begin"
  },
  {
    module,
    file: "packages/core/src/internal/transport/exchange.ts",
    find: "Exit.hasInterrupts(exit) || body.isReading ||",
    replace: "Exit.hasInterrupts(exit) ||",
    rule: "nobody takes the place of a body's reader"
  },
  {
    module,
    file: "packages/core/src/internal/session/streamFiber.ts",
    find: "Effect.map(pull, (elements) => this.give(elements))",
    replace: "Effect.map(Effect.flatMap(Effect.forkChild(pull), Fiber.join), (elements) => this.give(elements))",
    rule: "what a stream forks lives as long as the stream"
  },
  {
    module,
    file: "packages/core/src/internal/request/requestParts.ts",
    find: "return this.handler.run(work)",
    replace: "return Effect.ensuring(this.handler.run(work), this.endHandler())",
    rule: "what a handler forks lives as long as the request"
  },
  {
    module,
    file: "packages/providers/src/internal/call/pipeline.ts",
    find:
      "(record) => session(endpoint, retry.stream(endpoint, Telemetry.attemptStream(record, attempt(record))))\n  )\n  return endWhole(answer, endpoint.session, deadline(endpoint, recorded))",
    replace:
      "(record) => session(endpoint, deadline(endpoint, retry.stream(endpoint, Telemetry.attemptStream(record, attempt(record)))))\n  )\n  return endWhole(answer, endpoint.session, recorded)",
    rule: "a call holds nothing past its limit, though its reader is away"
  },
  {
    module,
    file: "packages/core/src/internal/session/streamFiber.ts",
    find: "Effect.andThen(pump.stop(exit), pump.untold(exit))",
    replace: "pump.stop(exit)",
    rule: "what a stream dies of while its reader is interrupted is told to the one that closes the scope"
  },
  {
    module,
    file: "packages/core/src/internal/time/cutOff.ts",
    find:
      "return fiber.pollUnsafe() === undefined ? Effect.andThen(Fiber.interrupt(fiber), defectsOf(fiber)) : undefined",
    replace: "return fiber.pollUnsafe() === undefined ? Effect.sync(() => fiber.interruptUnsafe()) : undefined",
    rule: "who is interrupted waits for what is released"
  }
]
