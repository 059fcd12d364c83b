/**
 * A request handler as it is often written. It answers a question inside a transaction, and gives the connection back at its
 * end, but not if the model's answer takes too long.
 */
import { Pool } from "pg"

/** Asks the model. Throws after so many milliseconds. */
export const ask = async (modelUrl: string, question: string, patience: number): Promise<string> => {
  const response = await fetch(`${modelUrl}/chat/completions`, {
    method: "POST",
    headers: { authorization: "Bearer stand-in", "content-type": "application/json" },
    body: JSON.stringify({ model: "gpt-5-mini", messages: [{ role: "user", content: question }] }),
    signal: AbortSignal.timeout(patience)
  })
  const completion = await response.json() as { choices: [{ message: { content: string } }] }
  return completion.choices[0].message.content
}

export const make = (databaseUrl: string, modelUrl: string, patience: number) => {
  const pool = new Pool({ connectionString: databaseUrl, max: 100 })
  // Else the process ends when the server closes a connection, be it in use or idle.
  pool.on("connect", (client) => client.on("error", () => {}))
  pool.on("error", () => {})

  return async (question: string): Promise<string> => {
    const client = await pool.connect()
    await client.query("BEGIN")
    await client.query("INSERT INTO messages (role, text) VALUES ('user', $1)", [question])
    // Throws after `patience`. Nothing below runs then, and nobody holds the client any more.
    const answer = await ask(modelUrl, question, patience)
    await client.query("INSERT INTO messages (role, text) VALUES ('assistant', $1)", [answer])
    await client.query("COMMIT")
    client.release()
    return answer
  }
}
