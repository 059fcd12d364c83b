import type { Peer } from "../../Protocol.ts"
import * as ProviderError from "../../ProviderError.ts"

const excerptLength = 200

export const excerpt = (text: string): string => text.length > excerptLength ? `${text.slice(0, excerptLength)}…` : text

/** The provider's response breaks its format. */
export const invalidResponse = (peer: Peer, detail: string, text: string) =>
  new ProviderError.InvalidResponse({ provider: peer.provider, detail, excerpt: excerpt(peer.redact(text)) })
