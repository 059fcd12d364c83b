import type { Mutant } from "../../support/mutant.ts"

const machine = "packages/agent/src/internal/conversation/machine.ts"
const render = "packages/agent/src/internal/conversation/render.ts"
const history = "packages/agent/src/internal/conversation/history.ts"
const handle = "packages/agent/src/internal/conversation/handle.ts"
const writer = "packages/agent/src/internal/conversation/writer.ts"
const service = "packages/agent/src/internal/conversation/service.ts"
const callers = "packages/agent/src/internal/conversation/callers.ts"

export const mutants: ReadonlyArray<Mutant> = [
  {
    module: "Conversation",
    file: machine,
    find: "state === \"proposed\" || state === \"started\" || state === \"denied\")",
    replace: "state === \"proposed\" || state === \"denied\")",
    rule: "repair ends calls that were started"
  },
  {
    module: "Conversation",
    file: machine,
    find: "state === \"proposed\" || state === \"started\" || state === \"denied\")",
    replace: "state === \"started\" || state === \"denied\")",
    rule: "repair ends calls that were proposed"
  },
  {
    module: "Conversation",
    file: machine,
    find: "state === \"proposed\" || state === \"started\" || state === \"denied\")",
    replace: "state !== \"approved\")",
    rule: "repair leaves calls that await approval"
  },
  {
    module: "Conversation",
    file: service,
    find: "return Effect.as(open.repair, open)",
    replace: "return Effect.succeed(open)",
    rule: "a conversation is repaired when it is opened"
  },
  {
    module: "Conversation",
    file: machine,
    find: "return state === \"proposed\" || state === \"approved\"\n",
    replace: "return state !== \"missing\" && state !== \"awaiting\" && state !== \"denied\"\n",
    rule: "a call starts once"
  },
  {
    module: "Conversation",
    file: machine,
    find: "return state === \"proposed\" || state === \"approved\"\n",
    replace: "return state === \"proposed\" || state === \"approved\" || state === \"awaiting\"\n",
    rule: "a call starts only after its approval"
  },
  {
    module: "Conversation",
    file: handle,
    find: "Effect.flatMap(restore(start), () => {",
    replace: "Effect.flatMap(Effect.ignore(restore(start)), () => {",
    rule: "a handler begins only after its start is durable"
  },
  {
    module: "Conversation",
    file: machine,
    find: "    if (state === \"started\") return append(toolMessage([result]))\n",
    replace: "    if (state === \"started\") return append()\n",
    rule: "a tool that ran has its result"
  },
  {
    module: "Conversation",
    file: writer,
    find: "this.setView(incarnation, version, position, () => encodeViewText(view))",
    replace: "this.setView(incarnation, version, cursor.position, () => encodeViewText(view))",
    rule: "what is appended during a compaction is kept"
  },
  {
    module: "Conversation",
    file: writer,
    find:
      "newest === version && cursor.incarnation === incarnation\n            ? this.setView(incarnation, version, position,",
    replace: "cursor.incarnation === incarnation\n            ? this.setView(incarnation, newest, position,",
    rule: "a clear during a compaction wins"
  },
  {
    module: "Conversation",
    file: writer,
    find: "retried(this.store.append(change), this.settings)",
    replace:
      "retried(Effect.suspend(() => this.store.append({ ...change, operation: `${Math.random()}` })), this.settings)",
    rule: "a lost answer is asked for again with the same id"
  },
  {
    module: "Conversation",
    file: writer,
    find: "    // An append that was made in an earlier try may have others behind it: then the log is loaded again.\n",
    replace: "    this.isStale = false\n",
    rule: "a log that is not known is loaded again"
  },
  {
    module: "Conversation",
    file: writer,
    find: "      // Until the store has answered, and also if this is interrupted.\n      this.isStale = true\n",
    replace: "",
    rule: "after a change of which nothing is known, the log is loaded again"
  },
  {
    module: "Conversation",
    file: writer,
    find: "conflict.what === \"position\" && count < maxConflicts",
    replace: "count > maxConflicts",
    rule: "a change that another one was faster than is made again"
  },
  {
    module: "Conversation",
    file: service,
    find: "return { key: `conversation/${id}`, ttl, wait, holder }",
    replace: "return { key: `conversation/${id}`, ttl, wait, holder, limit: 2 }",
    rule: "one writer at a time"
  },
  {
    module: "Conversation",
    file: history,
    find: "return call?.part === part ? placeholder(call) : notRun(part)",
    replace: "return call?.part === part && call.state !== \"awaiting\" ? placeholder(call) : undefined",
    rule: "each call of a history has a result"
  },
  {
    module: "Conversation",
    file: render,
    find: "return at < until ? [] : [result]",
    replace: "return []",
    rule: "a late result stands behind its call"
  },
  {
    module: "Conversation",
    file: callers,
    find: "if (count.waiting >= maxWaiters + (count.open > 0 ? 0 : 1)) return undefined",
    replace: "",
    rule: "the queue of writers is bounded"
  },
  {
    module: "Conversation",
    file: service,
    find: "(place) => Effect.sync(() => place.leave())",
    replace: "() => Effect.void",
    rule: "a place in the queue is given back"
  }
]
