/** Streams of OpenAI's and of servers that speak as it does, as their documentation has them. */
import { chunk, done, finishes, says, tokens } from "./openAiWire.ts"

export interface Case {
  readonly name: string
  readonly text: string
}

const started = says({ role: "assistant", content: "", refusal: null })
const said = (index: number, delta: object, finish: string | null = null) =>
  chunk({ choices: [{ index, delta, logprobs: null, finish_reason: finish }] })
const call = (index: number, id: string, name: string, text = "") => ({
  index,
  id,
  type: "function",
  function: { name, arguments: text }
})
const fragment = (index: number, text: string) => ({ index, function: { arguments: text } })
const calls = (...fragments: ReadonlyArray<object>) =>
  chunk({ choices: [{ index: 0, delta: { tool_calls: fragments } }] })
const probable = (content: string) =>
  chunk({
    choices: [{
      index: 0,
      delta: { content },
      logprobs: { content: [{ token: content, logprob: -0.1, bytes: [1], top_logprobs: [] }], refusal: null },
      finish_reason: null
    }]
  })
const usage = chunk({ usage: tokens(11, 7) })
const end = finishes("stop") + usage + done

const texts: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
  ["nothing", []],
  ["a word", ["Hello"]],
  ["words", ["Hel", "lo", ", ", "world"]],
  ["characters of two, three and four bytes", ["Grüße ", "あ", "🌍", "👩‍👩‍👧"]],
  ["line ends and quotes", ["a\nb\r\n", "\"c\" \\ d", "\u2028"]],
  ["what looks like an event", ["data: [DONE]\n\n", ": ping", "event: error"]],
  ["a long text", ["lorem ipsum ".repeat(60)]],
  ["spaces", [" ", "  ", "\t"]]
]

const tools: ReadonlyArray<readonly [string, string]> = [
  ["one call in one piece", calls(call(0, "call_a", "weather", "{\"city\":\"Rome\"}"))],
  [
    "one call in fragments",
    calls(call(0, "call_a", "weather")) + calls(fragment(0, "{\"ci")) + calls(fragment(0, "ty\":1}"))
  ],
  ["one call without arguments", calls(call(0, "call_a", "time"))],
  [
    "two calls one after the other",
    calls(call(0, "call_a", "weather")) + calls(fragment(0, "{}")) + calls(call(1, "call_b", "time")) +
    calls(fragment(1, "[]"))
  ],
  [
    "two calls mixed",
    calls(call(0, "call_a", "weather")) + calls(call(1, "call_b", "time")) + calls(fragment(1, "{\"zone\":")) +
    calls(fragment(0, "{\"city\":\"Łódź\"")) + calls(fragment(1, "\"CET\"}"), fragment(0, "}"))
  ],
  ["two calls in one chunk", calls(call(0, "call_a", "weather", "{}"), call(1, "call_b", "weather", "{\"a\":[]}"))],
  ["arguments that are not JSON", calls(call(0, "call_a", "weather", "{\"city\":")) + calls(fragment(0, "oops"))],
  ["a text before a call", says({ content: "Looking." }) + calls(call(0, "call_a", "weather", "{}"))]
]

const lineEnds: ReadonlyArray<readonly [string, (text: string) => string]> = [
  ["LF", (text) => text],
  ["CRLF", (text) => text.replaceAll("\n", "\r\n")],
  ["CR", (text) => text.replaceAll("\n", "\r")]
]

const endings: ReadonlyArray<readonly [string, string]> = [
  ["usage last", end],
  ["usage with the finish", finishes("stop", { usage: tokens(5, 6) }) + done],
  ["no usage", finishes("stop") + done],
  ["no usage and no [DONE]", finishes("length")],
  ["usage and no [DONE]", finishes("stop") + usage],
  ["a null usage behind one", finishes("stop", { usage: tokens(5, 6) }) + chunk({ usage: null }) + done]
]

const plain = started + says({ content: "Hello" }) + says({ content: ", wörld 🌍" })

const odd: ReadonlyArray<readonly [string, string]> = [
  ["comments and pings", ": welcome\n\n" + plain + ": ping\n\n: ping\n\n" + end + ": bye\n\n"],
  ["a byte order mark", "\uFEFF" + plain + end],
  ["ids, names and times to reconnect", "retry: 3000\n\nid: 7\nevent: message\n" + plain + "id: 8\n" + end],
  ["data over several lines", (plain + end).replaceAll("\"choices\":", "\ndata: \"choices\":")],
  ["no space behind the colon", (plain + end).replaceAll("data: ", "data:")],
  ["padding", chunk({ obfuscation: "x", choices: [{ index: 0, delta: { content: "a" }, finish_reason: null }] }) + end],
  [
    "a filter's verdict first",
    chunk({ id: "", model: "", prompt_filter_results: [{ prompt_index: 0 }] }) + plain + end
  ],
  [
    "usage in every chunk",
    says({ content: "a" }, { usage: tokens(9, 1) }) + finishes("stop", { usage: tokens(9, 3) }) + done
  ],
  [
    "a role in every chunk",
    says({ role: "assistant", content: "a" }) + says({ role: "assistant", content: "b" }) + end
  ],
  ["everything in one chunk", said(0, { role: "assistant", content: "a" }, "stop") + done],
  ["a tier and a fingerprint", says({ content: "a" }, { service_tier: "default", system_fingerprint: "fp_1" }) + end],
  ["a refusal", started + says({ refusal: "I'm sorry, " }) + says({ refusal: "no." }) + end],
  ["a filter", started + says({ content: "We" }) + finishes("content_filter") + done],
  [
    "thinking as reasoning_content",
    started + chunk({ choices: [{ index: 0, delta: { reasoning_content: "Hm." } }] }) + plain + end
  ],
  ["thinking as reasoning", started + chunk({ choices: [{ index: 0, delta: { reasoning: "Hm." } }] }) + plain + end],
  ["probabilities", started + probable("Hel") + probable("lo") + end],
  [
    "two answers mixed",
    said(0, { role: "assistant", content: "a" }) + said(1, { role: "assistant", content: "b" }) +
    said(1, { content: "B" }) +
    said(0, { content: "A" }) + said(1, {}, "length") + said(0, {}, "stop") + usage + done
  ],
  [
    "two answers in one chunk",
    chunk({
      choices: [{ index: 0, delta: { content: "a" }, finish_reason: "stop" }, {
        index: 1,
        delta: { content: "b" },
        finish_reason: "stop"
      }]
    }) + done
  ],
  [
    "two answers that call tools",
    said(0, { tool_calls: [call(0, "call_a", "f", "{}")] }) + said(1, { tool_calls: [call(0, "call_b", "g", "[")] }) +
    said(1, { tool_calls: [fragment(0, "]")] }, "tool_calls") + said(0, {}, "tool_calls") + done
  ],
  ["a mebibyte of text", started + says({ content: "x".repeat(1024 * 1024) }) + end]
]

export const cases: ReadonlyArray<Case> = [
  ...texts.flatMap(([name, deltas]) =>
    lineEnds.map(([lineEnd, as]) => ({
      name: `${name}, lines that end with ${lineEnd}`,
      text: as(started + deltas.map((content) => says({ content })).join("") + end)
    }))
  ),
  ...tools.flatMap(([name, text]) =>
    [["usage", finishes("tool_calls") + usage + done], ["no usage", finishes("tool_calls") + done], [
      "no end",
      finishes("tool_calls")
    ]].map(([how, end]) => ({ name: `${name}, with ${how}`, text: started + text + end }))
  ),
  ...endings.flatMap(([name, end]) => [
    { name: `a text with ${name}`, text: plain + end },
    { name: `a refusal with ${name}`, text: started + says({ refusal: "No." }) + end }
  ]),
  ...odd.map(([name, text]) => ({ name, text }))
]
