/**
 * Why JSON that was decoded and encoded again may have another form. Each reason looks at the values: at what became what. So a
 * fault in the same field has no reason.
 */
import type { Difference } from "./recorded.ts"
import { answerReasons, isNothing } from "./recordedAnswerReasons.ts"
import { requestReasons } from "./recordedRequestReasons.ts"

export interface Reason {
  readonly protocols: ReadonlyArray<string>
  readonly of: ReadonlyArray<Difference["of"]>
  /** The fields that it is about. */
  readonly fields: ReadonlyArray<string> | RegExp
  readonly kind?: Difference["kind"]
  readonly applies: (difference: Difference) => boolean
  readonly reason: string
}

const isAbout = ({ fields }: Reason, field: string): boolean =>
  fields instanceof RegExp ? fields.test(field) : fields.includes(field)

/** The objects of a protocol. In schemas, inputs and results of tools, and counts of tokens, null is a value. */
const objects =
  /^(?:(?:response_format|stream_options|messages\[\]|messages\[\]\.(?:content\[\]|tool_calls\[\]|image_url|audio)|messages\[\]\.content\[\]\.content\[\]|messages\[\]\.tool_calls\[\]\.function|tools\[\]|tools\[\]\.function|system\[\]|content\[\]|choices\[\]|choices\[\]\.message|choices\[\]\.message\.tool_calls\[\]|choices\[\]\.message\.tool_calls\[\]\.function|data\[\])\.)?\w+$/

const reasons: ReadonlyArray<Reason> = [
  {
    protocols: ["openai-chat", "anthropic-messages", "openai-embeddings"],
    of: ["request", "answer"],
    fields: objects,
    kind: "lost",
    applies: ({ before }) => before === null,
    reason: "null means absent"
  },
  ...requestReasons,
  ...answerReasons
]

/** Text, calls, usage and error classes must be the same: no reason may cover them. A usage of null says nothing. */
const isMeaning = ({ before, field, of }: Difference): boolean =>
  of === "meaning" ? !field.startsWith("finish") : /^(?:usage|error)\b/.test(field) && !isNothing(before)

/** Undefined: the difference is a fault. */
export const reasonOf = (difference: Difference): string | undefined =>
  isMeaning(difference)
    ? undefined
    : reasons.find((reason) =>
      reason.protocols.includes(difference.protocol) && reason.of.includes(difference.of) &&
      isAbout(reason, difference.field) && (reason.kind ?? difference.kind) === difference.kind &&
      reason.applies(difference)
    )?.reason
