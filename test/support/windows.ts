/** Conversations of 20 messages of 400 characters, cut from real ones. */
import { conversations } from "./conversations.ts"
import { seeded } from "./random.ts"

const messages = 20
const characters = 400

const all: ReadonlyArray<string> = conversations().map(({ messages }) =>
  messages.filter(({ role }) => role !== "system").map(({ content }) => content ?? "").join("\n")
)

/** Those that are long enough, or else all together. */
const texts: ReadonlyArray<string> = (() => {
  const long = all.filter(({ length }) => length >= messages * characters)
  return long.length > 0 ? long : [all.join("\n")]
})()

/** Each call gives the entries of another conversation, of one that was long enough, at a random place. */
export const windows = (seed: number) => {
  const random = seeded(seed)
  let count = 0
  return (): Array<string> => {
    const text = texts[Math.floor(random() * texts.length)] ?? ""
    const start = Math.floor(random() * (text.length - messages * characters + 1))
    const id = ++count
    return Array.from({ length: messages }, (_, i) => {
      const content = text.slice(start + i * characters, start + (i + 1) * characters)
      const role = i % 2 === 0 ? "user" : "assistant"
      return JSON.stringify(i === 0 ? { role, content, id } : { role, content })
    })
  }
}
