import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { Prompt } from "effect/ai"
import * as FastCheck from "fast-check"
import { objections } from "../../../../test/support/strictHistory.ts"
import { decode, decodeViewText, encode, encodeViewText, type Entry } from "../../src/internal/conversation/entry.ts"
import { complete, promptOf, unfinished } from "../../src/internal/conversation/history.ts"
import { Machine, said } from "../../src/internal/conversation/machine.ts"

const ids = FastCheck.constantFrom("a", "b", "c", "d")
const approvalOf = (id: string) => `approval-${id}`

const call = (id: string, providerExecuted = false) =>
  Prompt.makePart("tool-call", { id, name: "search", params: { q: id }, providerExecuted })

const result = (id: string, value: number, providerExecuted = false) =>
  Prompt.makePart("tool-result", {
    id,
    name: "search",
    isFailure: false,
    result: `result ${value}`,
    providerExecuted
  })

let texts = 0
const text = () => Prompt.makePart("text", { text: `text ${texts++}` })

const assistantPart: FastCheck.Arbitrary<ReadonlyArray<Prompt.AssistantMessagePart>> = FastCheck.oneof(
  FastCheck.constant(0).map(() => [text()]),
  ids.map((id) => [call(id)]),
  ids.map((id) => [call(id), Prompt.makePart("tool-approval-request", { approvalId: approvalOf(id), toolCallId: id })]),
  FastCheck.tuple(ids, FastCheck.nat()).map(([id, value]) => [call(id, true), result(id, value, true)]),
  ids.map((id) => [call(id, true)]),
  FastCheck.tuple(ids, FastCheck.nat()).map(([id, value]) => [result(id, value)])
)

const toolPart: FastCheck.Arbitrary<Prompt.ToolMessagePart> = FastCheck.oneof(
  FastCheck.tuple(ids, FastCheck.nat()).map(([id, value]) => result(id, value)),
  FastCheck.tuple(ids, FastCheck.boolean()).map(([id, approved]) =>
    Prompt.makePart("tool-approval-response", { approvalId: approvalOf(id), approved })
  )
)

const entry: FastCheck.Arbitrary<Entry> = FastCheck.oneof(
  FastCheck.constant(0).map(() => said(Prompt.makeMessage("user", { content: [text()] }))),
  FastCheck.array(assistantPart, { maxLength: 3 }).map((parts) =>
    said(Prompt.makeMessage("assistant", { content: parts.flat() }))
  ),
  FastCheck.array(toolPart, { maxLength: 3 }).map((content) => said(Prompt.makeMessage("tool", { content }))),
  ids.map((id): Entry => ({ _tag: "started", call: id }))
)

const logs = FastCheck.array(entry, { maxLength: 14 })

const machineOf = (log: ReadonlyArray<Entry>): Machine => {
  const machine = new Machine()
  for (const [index, entry] of log.entries()) machine.apply(entry, index + 1)
  return machine
}

/** What a user and a model said, which no rendering may lose. */
const textsOf = (messages: ReadonlyArray<Prompt.Message>): ReadonlyArray<string> =>
  messages.flatMap((message) =>
    message.role === "system"
      ? [message.content]
      : message.content.flatMap((part) => part.type === "text" ? [part.text] : [])
  )

const callsOf = (messages: ReadonlyArray<Prompt.Message>): ReadonlyArray<string> =>
  messages.flatMap((message) =>
    message.role === "assistant" ? message.content.flatMap((part) => part.type === "tool-call" ? [part.id] : []) : []
  )

const stored = (log: ReadonlyArray<Entry>): ReadonlyArray<Entry> =>
  encode(log, 1).texts.map((text, index) => Result.getOrThrow(decode("c", index + 1, text)))

const check = <A>(arbitrary: FastCheck.Arbitrary<A>, holds: (value: A) => void) =>
  FastCheck.assert(FastCheck.property(arbitrary, holds), { numRuns: 600, seed: 7 })

/** The result that belongs to each call, by a slow and simple rule. */
const expectedResults = (log: ReadonlyArray<Entry>): ReadonlyArray<string | undefined> => {
  const calls: Array<{ id: string; result?: string }> = []
  for (const entry of log) {
    if (entry._tag !== "message" || entry.message.role === "user" || entry.message.role === "system") continue
    const here = new Set<string>()
    for (const part of entry.message.content) {
      if (part.type === "tool-call" && !here.has(part.id)) {
        here.add(part.id)
        calls.push({ id: part.id })
      }
      if (part.type !== "tool-result") continue
      const owner = calls.findLast(({ id }) => id === part.id)
      if (owner !== undefined) owner.result ??= String(part.result)
    }
  }
  return calls.map(({ result }) => result)
}

const renderedResults = (messages: ReadonlyArray<Prompt.Message>): ReadonlyArray<string | undefined> => {
  const found: Array<string | undefined> = []
  let calls: Array<string> = []
  let base = 0
  for (const message of messages) {
    if (message.role === "assistant") {
      base = found.length
      calls = message.content.flatMap((part) => part.type === "tool-call" ? [part.id] : [])
      found.push(...calls.map(() => undefined))
    }
    if (message.role !== "assistant" && message.role !== "tool") continue
    for (const part of message.content) {
      if (part.type === "tool-result" && !part.isFailure) found[base + calls.indexOf(part.id)] = String(part.result)
    }
  }
  return found
}

const states = ({ open }: Machine) => open.map(({ part, state }) => [part.id, state]).toSorted()

describe("the machine of a conversation", () => {
  it("gives a history that providers accept, whatever the log is", () =>
    check(logs, (log) => {
      const history = complete(machineOf([said(Prompt.makeMessage("user", { content: [text()] })), ...log]))
      assert.deepStrictEqual(objections(promptOf(history)), [])
    }))

  it("loses nothing that was said, and keeps the first result of each call", () =>
    check(logs, (log) => {
      const messages = promptOf(complete(machineOf(log))).content
      const all = log.flatMap((entry) => entry._tag === "message" ? [entry.message] : [])
      assert.deepStrictEqual(textsOf(messages), textsOf(all))
      assert.deepStrictEqual(renderedResults(messages), expectedResults(log))
    }))

  it("leaves a history alone that is in order", () =>
    check(logs, (log) => {
      const ordered = complete(machineOf(log))
      const again = complete(machineOf(ordered.map(({ message }) => said(message))))
      assert.strictEqual(again.length, ordered.length)
      for (const [index, { message }] of again.entries()) assert.strictEqual(message, ordered[index]?.message)
    }))

  it("means the same after it was stored", () =>
    check(logs, (log) => {
      const before = promptOf(complete(machineOf(log)))
      assert.deepStrictEqual(promptOf(complete(machineOf(stored(log)))).content, before.content)
    }))

  it("ends what a writer left behind once, and never what awaits approval", () =>
    check(logs, (log) => {
      const machine = machineOf(log)
      const before = new Map(machine.open.map(({ part, state }) => [part.id, state]))
      for (const entry of machine.repair()) machine.apply(entry, log.length + 1)
      assert.deepStrictEqual(machine.repair(), [])
      for (const [id, state] of before) {
        const isKept = state === "awaiting" || state === "approved"
        assert.strictEqual(machine.call(id)?.state, isKept ? state : "resolved")
      }
    }))

  it("starts a call once, and not before its approval", () =>
    check(FastCheck.tuple(logs, ids), ([log, id]) => {
      const machine = machineOf(log)
      const state = machine.call(id)?.state
      const started = machine.start(id)
      assert.strictEqual(started._tag, state === "proposed" || state === "approved" ? "append" : "refused")
      if (started._tag === "refused") return
      for (const entry of started.entries) machine.apply(entry, log.length + 1)
      assert.deepStrictEqual(machine.start(id), { _tag: "refused", state: "started" })
    }))

  it("answers an approval once", () =>
    check(FastCheck.tuple(logs, ids, FastCheck.boolean()), ([log, id, isApproved]) => {
      const machine = machineOf(log)
      const isAsked = machine.call(id)?.state === "awaiting"
      const decide = () => isApproved ? machine.approve(id) : machine.deny(id, "no")
      const decided = decide()
      assert.strictEqual(decided._tag, isAsked ? "append" : "refused")
      if (decided._tag === "refused") return
      for (const entry of decided.entries) machine.apply(entry, log.length + 1)
      assert.strictEqual(machine.call(id)?.state, isApproved ? "approved" : "resolved")
      assert.strictEqual(decide()._tag, "refused")
    }))

  it("keeps the state of open calls in a view", () =>
    check(FastCheck.tuple(logs, logs), ([log, later]) => {
      const machine = machineOf(log)
      const view = { items: unfinished(machine), started: machine.started, steps: [] }
      const after = new Machine(Result.getOrThrow(decodeViewText("c", log.length, encodeViewText(view))))
      for (const [index, entry] of later.entries()) {
        machine.apply(entry, log.length + index + 1)
        after.apply(entry, log.length + index + 1)
      }
      assert.deepStrictEqual(states(after), states(machine))
      const user = said(Prompt.makeMessage("user", { content: [text()] }))
      machine.apply(user, 100)
      after.apply(user, 100)
      assert.deepStrictEqual(textsOf(promptOf(complete(after)).content), textsOf(promptOf(complete(machine)).content))
      assert.deepStrictEqual(callsOf(promptOf(complete(after)).content), callsOf(promptOf(complete(machine)).content))
    }))
})
