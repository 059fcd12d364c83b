/** Changes of conversations for tests, with short names. */
import { ConversationStore } from "@clawback/agent"
import { Effect } from "effect"

type Store = ConversationStore.ConversationStore
type Cursor = ConversationStore.Cursor

export const nothing: Cursor = { incarnation: 0, position: 0 }
export const forever = { idle: undefined, absolute: undefined }

let operations = 0

export interface Options {
  readonly operation?: string | undefined
  readonly digest?: string | undefined
  readonly fence?: number | undefined
  readonly expiry?: ConversationStore.Expiry | undefined
  readonly subject?: string | undefined
}

export const append = (
  conversation: string,
  expected: Cursor,
  entries: ReadonlyArray<string>,
  options: Options = {}
) =>
  ConversationStore.ConversationStore.use((store: Store) =>
    store.append({
      conversation,
      expected,
      entries,
      operation: options.operation ?? `operation ${++operations}`,
      digest: options.digest ?? entries.join(),
      expiry: options.expiry ?? forever,
      fence: options.fence,
      subject: options.subject
    })
  )

/** Appends, and returns the new end. */
export const appended = (...args: Parameters<typeof append>) => Effect.map(append(...args), ({ cursor }) => cursor)

export const load = (conversation: string, options?: ConversationStore.LoadOptions) =>
  ConversationStore.ConversationStore.use((store: Store) => store.load(conversation, options))

export const entriesOf = (conversation: string) => Effect.map(load(conversation), (loaded) => loaded?.entries)

export const setView = (change: ConversationStore.ViewChange) =>
  ConversationStore.ConversationStore.use((store: Store) => store.setView(change))

export const trim = (change: ConversationStore.Trim) =>
  ConversationStore.ConversationStore.use((store: Store) => store.trim(change))

export const remove = (conversation: string, options?: ConversationStore.RemoveOptions) =>
  ConversationStore.ConversationStore.use((store: Store) => store.remove(conversation, options))

/** All pages. */
export const scanAll = (options: Omit<ConversationStore.ScanOptions, "after">) =>
  ConversationStore.ConversationStore.use((store: Store) =>
    Effect.gen(function*() {
      const heads: Array<ConversationStore.Head> = []
      let after: string | undefined
      do {
        const page: ConversationStore.Page = yield* store.scan({ ...options, after })
        heads.push(...page.heads)
        after = page.next
      } while (after !== undefined)
      return heads
    })
  )
