/**
 * Forms that servers and clients of many vendors use, made out of recordings that have another one. A variant means the same as
 * its recording, or what the vendor's SDK makes of it.
 */
import { anthropicVariants, chatVariants } from "./recordedAnswerVariants.ts"
import { errorVariants } from "./recordedErrorVariants.ts"
import { requestVariants } from "./recordedRequestVariants.ts"
import { streamVariants } from "./recordedStreamVariants.ts"
import type { Variant } from "./recordedVariant.ts"

export const variants: ReadonlyArray<Variant> = [
  ...chatVariants,
  ...anthropicVariants,
  ...streamVariants,
  ...requestVariants,
  ...errorVariants
]
