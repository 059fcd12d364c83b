/** What must hold between a history and its compacted form, worked out apart from the compaction. */
import type { Compaction } from "@clawback/agent"
import { TokenCount } from "@clawback/agent"
import type { Prompt } from "effect/ai"
import { isDeepStrictEqual } from "node:util"

type Items = ReadonlyArray<Compaction.Item>

const notes = (of: { readonly options: Prompt.ProviderOptions }): Record<string, unknown> =>
  (of.options["clawback"] ?? {}) as Record<string, unknown>

const isPinned = ({ message }: Compaction.Item) => notes(message)["pinned"] === true
const isSystem = ({ message }: Compaction.Item) => message.role === "system"
const isSummary = ({ message }: Compaction.Item) => notes(message)["summary"] !== undefined

/** Pairs of places: call and result, approval request and response. A result answers the newest open call of its id. */
export const pairs = (items: Items): ReadonlyArray<readonly [number, number]> => {
  const found: Array<readonly [number, number]> = []
  const open: Array<{ readonly id: string; readonly at: number }> = []
  const done: Array<{ readonly id: string; readonly at: number }> = []
  const requests = new Map<string, number>()
  for (const [at, { message }] of items.entries()) {
    if (message.role === "system") continue
    for (const part of message.content) {
      if (part.type === "tool-call") open.push({ id: part.id, at })
      if (part.type === "tool-approval-request") requests.set(part.approvalId, at)
      if (part.type === "tool-approval-response") {
        const from = requests.get(part.approvalId)
        if (from !== undefined) found.push([from, at])
      }
      if (part.type !== "tool-result") continue
      const index = open.findLastIndex(({ id }) => id === part.id)
      const [call] = index === -1 ? [done.findLast(({ id }) => id === part.id)] : open.splice(index, 1)
      if (call === undefined) continue
      done.push(call)
      found.push([call.at, at])
    }
  }
  return found
}

/** Places of calls that the caller has not answered. */
export const unfinished = (items: Items): ReadonlyArray<number> => {
  const open: Array<{ readonly id: string; readonly at: number }> = []
  for (const [at, { message }] of items.entries()) {
    if (message.role === "system") continue
    for (const part of message.content) {
      if (part.type === "tool-call" && !part.providerExecuted) open.push({ id: part.id, at })
      if (part.type !== "tool-result") continue
      const index = open.findLastIndex(({ id }) => id === part.id)
      if (index !== -1) open.splice(index, 1)
    }
  }
  return open.map(({ at }) => at)
}

/** Whether a message is the same, but for results that were cleared. */
const isSame = (before: Prompt.Message, after: Prompt.Message): boolean => {
  if (before === after) return true
  if (before.role !== "tool" || after.role !== "tool" || before.content.length !== after.content.length) return false
  return before.content.every((part, at) => {
    const other = after.content[at]
    if (part.type !== "tool-result" || other?.type !== "tool-result") return part === other
    return part === other ||
      (notes(other)["cleared"] === true && other.id === part.id && other.name === part.name &&
        other.isFailure === part.isFailure && !part.providerExecuted)
  })
}

const isEmpty = (message: Prompt.Message) =>
  message.role === "user" && !message.content.some((part) => part.type === "file" || part.text.trim() !== "")

/** The turn of each place: a message of the user after anything else begins one, unless it is empty. */
const turnsOf = (items: Items): ReadonlyArray<number> => {
  let turn = 0
  let before = "user"
  return items.map(({ message }) => {
    const { role } = message
    if (isEmpty(message)) return turn
    if (role === "user" && before !== "user") turn++
    if (role !== "system") before = role
    return turn
  })
}

const covered = (compacted: Compaction.Compacted): ReadonlySet<number> => {
  const positions = new Set<number>()
  for (const { removed } of compacted.steps) {
    for (const { from, to } of removed) for (let at = from; at <= to; at++) positions.add(at)
  }
  return positions
}

/** The laws that a compaction has broken, by name. `budget`: the largest size that it may leave. */
export const broken = (
  before: Items,
  compacted: Compaction.Compacted,
  budget = Infinity,
  size: (message: Prompt.Message) => number = TokenCount.estimate
): ReadonlyArray<string> => {
  const laws: Array<string> = []
  const law = (name: string, holds: boolean) => {
    if (!holds) laws.push(name)
  }
  const after = compacted.items
  const places = new Map(after.map((item, at) => [item.position, at]))
  const stays = before.map((item) => item.position === undefined ? after.includes(item) : places.has(item.position))

  law("a result stays with its call", pairs(before).every(([from, to]) => stays[from] === stays[to]))
  law("an unfinished call stays", unfinished(before).every((at) => stays[at] === true))
  law(
    "system messages stay as they are, in order",
    isDeepStrictEqual(
      after.filter(isSystem).map(({ message }) => message),
      before.filter(isSystem).map((_) => _.message)
    )
  )
  const isCut = stays.includes(false)
  const firstOther = after.findIndex((item) => !isSystem(item))
  law("system messages stand at the front", !isCut || firstOther === -1 || !after.slice(firstOther).some(isSystem))
  law(
    "pinned messages stay as they are",
    before.every((item) => !isPinned(item) || after.some(({ message }) => message === item.message))
  )

  const turns = turnsOf(before)
  const newest = turns.at(-1)
  const byTurn = Map.groupBy(before.keys(), (at) => turns[at])
  const isLoose = (item: Compaction.Item | undefined) =>
    item !== undefined && (isSystem(item) || isSummary(item) || (isPinned(item) && item.message.role === "user"))
  law(
    "a turn stays or goes as one",
    [...byTurn.values()].every((all) =>
      new Set(all.filter((at) => !isLoose(before[at])).map((at) => stays[at])).size <= 1
    )
  )
  law(
    "the newest turn stays",
    before.every((item, at) => turns[at] !== newest || isSummary(item) || stays[at] === true)
  )
  law(
    "what stays is unchanged, but for cleared results",
    before.every(({ message, position }, at) => {
      if (stays[at] !== true || position === undefined) return true
      const place = after[places.get(position) ?? -1]
      return place !== undefined && isSame(message, place.message)
    })
  )
  const order = after.filter((item) => !isSystem(item) && !isPinned(item)).flatMap(({ position }) => position ?? [])
  law("what stays is in order", order.every((position, at) => at === 0 || position > (order[at - 1] ?? 0)))
  law(
    "nothing stands there twice",
    places.size === new Set(after).size || after.filter(({ position }) => position === undefined).length > 1
  )
  const first = (items: Items) => items.find((item) => !isSystem(item))?.message.role
  law("it begins with the user", first(before) !== "user" || first(after) === "user")
  const total = after.reduce((sum, { message }) => sum + size(message), 0)
  law("it is within the budget", total <= budget)
  law("its size is stated", compacted.tokens === total && compacted.steps.at(-1)?.tokensAfter === total)
  const gone = covered(compacted)
  law(
    "its provenance names what is gone",
    before.every(({ position }, at) => position === undefined || gone.has(position) === (stays[at] !== true))
  )
  return laws
}

/**
 * The laws of the room that a compaction leaves, so that the next one is not due at once. `room` is what it may leave, beside what
 * must stay: front, newest turn, unfinished calls, pinned answers.
 */
export const crowded = (
  after: Items,
  room: { readonly tokens: number; readonly turns: number },
  size: (message: Prompt.Message) => number = TokenCount.estimate
): ReadonlyArray<string> => {
  const turns = turnsOf(after)
  const open = new Set(unfinished(after))
  const linked = pairs(after)
  // Turns that share a call and its result are one: each has the number of the first of them.
  const group = [...turns]
  for (let isChanged = true; isChanged;) {
    isChanged = false
    for (const [from, to] of linked) {
      const least = Math.min(...turns.slice(from, to + 1).map((turn) => group[turns.indexOf(turn)] ?? turn))
      for (const [at, turn] of turns.entries()) {
        if (turn < (turns[from] ?? 0) || turn > (turns[to] ?? 0) || group[at] === least) continue
        group[at] = least
        isChanged = true
      }
    }
  }
  const mustStay = new Set<number | undefined>([group.at(-1)])
  for (const [at, item] of after.entries()) {
    if (open.has(at) || (isPinned(item) && item.message.role !== "user")) mustStay.add(group[at])
  }
  const others = after.flatMap((item, at) =>
    mustStay.has(group[at]) || isSystem(item) || isSummary(item) || (isPinned(item) && item.message.role === "user")
      ? []
      : [at]
  )
  const isFull = others.length > 0 && after.reduce((sum, { message }) => sum + size(message), 0) > room.tokens
  const left = new Set(others.filter((at) => after[at]?.message.role === "user").map((at) => group[at])).size
  return [
    ...(isFull ? ["a compaction leaves room in tokens"] : []),
    ...(left > room.turns ? ["a compaction leaves room in turns"] : [])
  ]
}
