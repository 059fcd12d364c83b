/** The chatbot of many tutorials: a map of histories, from which nothing is ever deleted. */
import type { Chatbot } from "./chatbot.ts"

export const naive = (): Chatbot => {
  const histories = new Map<string, Array<{ role: "user" | "assistant"; content: string }>>()
  return {
    isForgetful: false,
    pass: async () => {},
    close: async () => {},
    answer: async ({ conversation, question }, model) => {
      const history = histories.get(conversation) ?? []
      histories.set(conversation, history)
      history.push({ role: "user", content: question })
      const answer = model(history.map(({ content }) => content))
      history.push({ role: "assistant", content: answer })
    }
  }
}
