import * as Others from "./others.ts"
import * as Ours from "./ours.ts"
import type { Place, Work } from "./work.ts"

/** Every client, by its name. */
export const clients: Readonly<Record<string, (place: Place) => Promise<Work>>> = {
  undici: Others.undici,
  openai: Others.openai,
  ai: Others.ai,
  effect: Others.effect,
  effectModel: Others.effectModel,
  target: Ours.program(Ours.target, Ours.off),
  model: Ours.program(Ours.languageModel, Ours.off),
  modelTools: Ours.program(Ours.languageModelWithTools, Ours.off),
  targetTraced: Ours.program(Ours.target, Ours.plain),
  modelTraced: Ours.program(Ours.languageModel, Ours.plain),
  targetBySdk: Ours.program(Ours.target, Ours.bySdk),
  modelBySdk: Ours.program(Ours.languageModel, Ours.bySdk)
}
