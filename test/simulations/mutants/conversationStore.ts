/** Mistakes in stores of conversations. */
import type { Mutant } from "../../support/mutant.ts"

const module = "ConversationStore"
const machine = "packages/agent/src/internal/store/machine.ts"
const memory = "packages/agent/src/internal/store/memory.ts"
const residents = "packages/agent/src/internal/store/residents.ts"
const saving = "packages/agent/src/internal/store/saving.ts"
const locks = "packages/agent/src/internal/store/locks.ts"

export const mutants: ReadonlyArray<Mutant> = [
  {
    module,
    file: machine,
    find: "  if (!isAt(expected, state)) {\n",
    replace: "  if (expected.incarnation < 0) {\n",
    rule: "an append is made only at the end that its writer expects"
  },
  {
    module,
    file: machine,
    find: "state?._tag === \"Live\" && known !== undefined",
    replace: "state?._tag === \"Live\" && known !== undefined && known.position < 0",
    rule: "a repeated operation is made once"
  },
  {
    module,
    file: machine,
    find: "cursor: { incarnation: state.incarnation, position: known.position } }",
    replace: "cursor: cursorOf(state) }",
    rule: "a repeated operation gets the end after the first time"
  },
  {
    module,
    file: machine,
    find: "if (fence !== undefined && fence < newest)",
    replace: "if (fence !== undefined && fence < newest - 100)",
    rule: "an append with an older token is refused"
  },
  {
    module,
    file: machine,
    find: "      fence: Math.max(before.fence, fence ?? 0),\n",
    replace: "      fence: fence ?? 0,\n",
    rule: "an append without a token leaves the newest one"
  },
  {
    module,
    file: machine,
    find: "  Math.max((found?.incarnation ?? 0) + 1, Math.floor(now * 1000))",
    replace: "  1 + 0 * ((found?.incarnation ?? 0) + now)",
    rule: "an incarnation never comes back"
  },
  {
    module,
    file: machine,
    find: "  if (version !== state.viewVersion) return conflict(\"view\", state)\n",
    replace: "",
    rule: "a view is replaced only by a writer that knows it"
  },
  {
    module,
    file: machine,
    find: "if (state?._tag !== \"Live\" || state.incarnation !== incarnation) return conflict(\"removed\", state)",
    replace: "if (state?._tag !== \"Live\") return conflict(\"removed\", state)",
    rule: "a view is one of its incarnation"
  },
  {
    module,
    file: machine,
    find: "upTo < state.viewUpTo || upTo > state.position",
    replace: "upTo > state.position",
    rule: "a view never stands for less than the one before"
  },
  {
    module,
    file: machine,
    find: "  const to = Math.min(upTo, state.viewUpTo)\n",
    replace: "  const to = upTo\n",
    rule: "only what a view stands for is trimmed"
  },
  {
    module,
    file: machine,
    find: "  bytes: state.bytes - bytes\n",
    replace: "  bytes: state.bytes - 0 * bytes\n",
    rule: "what was trimmed takes no bytes"
  },
  {
    module,
    file: machine,
    find: "  const total = state.bytes - state.viewBytes + bytes\n",
    replace: "  const total = state.bytes + bytes\n",
    rule: "a replaced view takes no bytes"
  },
  {
    module,
    file: machine,
    find: "  if (total > limits.maxBytes) return",
    replace: "  if (total > 2 * limits.maxBytes) return",
    rule: "no conversation becomes larger than it may be"
  },
  {
    module,
    file: machine,
    find: "until: now + tombstone }",
    replace: "until: now + 0 * tombstone }",
    rule: "a tombstone refuses late appends"
  },
  {
    module,
    file: machine,
    find: "  found !== undefined && now < endsAt(found) ? found : undefined\n",
    replace: "  found !== undefined && now < endsAt(found) + 1000 ? found : undefined\n",
    rule: "what has expired is not there"
  },
  {
    module,
    file: machine,
    find: "      touchedAt: Math.max(before.touchedAt, now),\n",
    replace: "      touchedAt: before.touchedAt,\n",
    rule: "an append is activity"
  },
  {
    module,
    file: machine,
    find: "  touchedAt: Math.max(state.touchedAt, now),\n  idle,\n",
    replace: "  touchedAt: state.touchedAt + 0 * now,\n  idle,\n",
    rule: "a load that touches is activity"
  },
  {
    module,
    file: machine,
    find: "  return given.position >= state.position &&",
    replace: "  return true || given.position >= state.position &&",
    rule: "a late save does not replace a newer one"
  },
  {
    module,
    file: machine,
    find: "  if (state._tag === \"Removed\" || given._tag === \"Removed\") return given._tag === \"Removed\"\n",
    replace: "  if (state._tag === \"Removed\" || given._tag === \"Removed\") return true\n",
    rule: "a late save does not revive a removed conversation"
  },
  {
    module,
    file: memory,
    find: "      if (Machine.present(resident.state, now) === undefined) {\n",
    replace: "      if (resident.state._tag === \"Live\" && Machine.present(resident.state, now) === undefined) {\n",
    rule: "tombstones end by themselves"
  },
  {
    module,
    file: memory,
    find: "        residents.weigh(resident)\n",
    replace: "",
    rule: "what was compressed weighs less"
  },
  {
    module,
    file: memory,
    find: "if (touch !== undefined) resident.become(Machine.touched(state, touch, now))",
    replace: "if (touch !== undefined) resident.state = Machine.touched(state, touch, now)",
    rule: "what was touched is saved again"
  },
  {
    module,
    file: residents,
    find: "    this.isSaved = false\n",
    replace: "",
    rule: "what was changed is saved again"
  },
  {
    module,
    file: residents,
    find: "    this.bytes -= resident.weight\n",
    replace: "",
    rule: "what has left takes no memory"
  },
  {
    module,
    file: residents,
    find: "      last.slot = resident.slot\n",
    replace: "",
    rule: "one that leaves the list leaves the others in it"
  },
  {
    module,
    file: saving,
    find: "    if (memory.residents.get(conversation) !== undefined) return Effect.void\n    return",
    replace: "    if (conversation !== \"\") return Effect.void\n    return",
    rule: "what moved to the second store comes back"
  },
  {
    module,
    file: saving,
    find: "Effect.andThen(this.save(victim), Effect.sync",
    replace: "Effect.andThen(Effect.ignore(this.save(victim)), Effect.sync",
    rule: "what could not be saved stays in memory"
  },
  {
    module,
    file: saving,
    find: "      return Effect.as(this.save(resident), true)\n",
    replace: "      return Effect.succeed(true)\n",
    rule: "what is removed is removed from the second store too"
  },
  {
    module,
    file: saving,
    find: "    if (memory.residents.get(conversation) !== undefined) return Effect.void\n    return",
    replace: "    return",
    rule: "what is in memory is newer than what the second store has"
  },
  {
    module,
    file: saving,
    find: "        if (bytes !== undefined) yield* this.makeRoom(conversation, bytes)\n",
    replace: "",
    rule: "there is room for what begins"
  },
  {
    module,
    file: locks,
    find: "lock.semaphore.withPermit(effect)",
    replace: "effect",
    rule: "a conversation does not change while it moves"
  },
  {
    module,
    file: locks,
    find: "          if (--lock.users === 0) this.locks.delete(key)\n",
    replace: "          lock.users--\n",
    rule: "a conversation that nobody uses can move"
  }
]
