/** What a request means in the form that our encoder sends, worked out apart from it. */

type Json = any

/** The older form of tools, as tools. */
export const toolsOf = (
  { function_call: choice, functions }: Json
): { readonly tools: Json; readonly tool_choice: Json } => ({
  tools: functions?.map((definition: Json) => ({
    type: "function",
    function: { parameters: { type: "object", properties: {} }, ...definition }
  })),
  tool_choice: typeof choice === "object" && choice !== null
    ? { type: "function", function: { name: choice.name } }
    : choice ?? undefined
})

const isText = ({ type }: Json): boolean => type === "text"

/** A tool message holds text only. Its other parts follow in a user message, after all results of the turn. */
export const withShownParts = ({ messages, ...others }: Json, named: Json): Json => {
  const found: Array<Json> = []
  let parts: Array<Json> = []
  const show = () => {
    if (parts.length > 0) found.push({ role: "user", content: parts })
    parts = []
  }
  for (const [index, message] of messages.entries()) {
    if (message.role !== "tool") show()
    const { content } = message
    if (message.role !== "tool" || !Array.isArray(content) || content.every(isText)) {
      found.push(message)
      continue
    }
    const texts = content.filter(isText)
    found.push({ ...message, content: texts.length > 0 ? texts : "" })
    parts.push({ type: "text", text: `From the tool call ${named.messages[index].tool_call_id}:` })
    parts.push(...content.filter((part) => !isText(part)))
  }
  show()
  return { ...others, messages: found }
}

/** With ids for calls and results that have none. Results answer the calls of the latest answer, by name or in order. */
export const withCallIds = ({ messages, ...others }: Json): Json => {
  let open: Array<{ readonly id: string; readonly name: string }> = []
  return {
    ...others,
    messages: messages.map((message: Json, index: number) => {
      if (message.tool_calls?.length > 0) {
        const calls = message.tool_calls.map((call: Json, number: number) => ({
          ...call,
          id: call.id || `call_${index}_${number}`
        }))
        open = calls.map(({ function: { name }, id }: Json) => ({ id, name }))
        return { ...message, tool_calls: calls }
      }
      if (message.role !== "tool") return message
      const id = message.tool_call_id || (open.find(({ name }) => name === message.name) ?? open[0])?.id
      open = open.filter((call) => call.id !== id)
      return { ...message, tool_call_id: id }
    })
  }
}

const isNothing = ({ content, role, tool_calls, ...others }: Json): boolean =>
  role === "assistant" && [content ?? null, tool_calls ?? null].every((value) =>
    value === null || value.length === 0
  ) &&
  content !== "" && Object.values(others).every((value) => value === null)

/** Without answers that have nothing in them. An empty text is one that a client may send. */
export const withoutEmpty = ({ messages, ...others }: Json): Json => ({
  ...others,
  messages: messages.filter((message: Json) => !isNothing(message))
})

const blocks = (content: Json): Json => typeof content === "string" ? [{ type: "text", text: content }] : content

/** Anthropic's messages alternate: neighbours of one role are one message. */
export const withJoinedTurns = ({ messages, ...others }: Json): Json => {
  const found: Array<Json> = []
  for (const message of messages) {
    const last = found.at(-1)
    if (last === undefined || last.role !== message.role || message.role === "system") found.push(message)
    else {found[found.length - 1] = {
        ...last,
        ...message,
        content: [...blocks(last.content), ...blocks(message.content)]
      }}
  }
  return { ...others, messages: found }
}
