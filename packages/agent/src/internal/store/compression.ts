/** What compresses idle conversations in memory. Without one, they stay as they are. */
export { Compression } from "@clawback/core/Compression"
