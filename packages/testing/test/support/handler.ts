import { Behavior, type FaultyProvider } from "@clawback/testing"

const handler: FaultyProvider.Handler = ({ body }) => Behavior.json([...body].toReversed().join(""))

export default handler
