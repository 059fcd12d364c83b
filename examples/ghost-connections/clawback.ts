/** The same handler with Clawback: the connection is held by a scope, which ends whichever way the work in it does. */
import { Credential } from "@clawback/core"
import { NodeTransport } from "@clawback/node"
import * as NodePostgres from "@clawback/node/NodePostgres"
import { OpenAi } from "@clawback/providers"
import { type Duration, Effect, Layer, Redacted } from "effect"
import { LanguageModel } from "effect/ai"
import { SqlClient } from "effect/sql"

export const layer = (databaseUrl: string, modelUrl: string, patience: Duration.Input) =>
  Layer.merge(
    NodePostgres.layer({ url: Redacted.make(databaseUrl), max: 10 }),
    OpenAi.layer({
      model: "gpt-5-mini",
      baseUrl: modelUrl,
      credential: Credential.redacted("OPENAI_API_KEY", Redacted.make("stand-in")),
      timeouts: { total: patience }
    }).pipe(Layer.provide(NodeTransport.layer()))
  )

export const answer = Effect.fnUntraced(function*(question: string) {
  const sql = yield* SqlClient.SqlClient
  const transaction = Effect.gen(function*() {
    yield* sql`INSERT INTO messages (role, text) VALUES ('user', ${question})`
    // Fails after `patience`. Then the transaction is rolled back, and the pool gets its connection.
    const { text } = yield* LanguageModel.generateText({ prompt: question })
    yield* sql`INSERT INTO messages (role, text) VALUES ('assistant', ${text})`
    return text
  })
  return yield* sql.withTransaction(transaction)
})
