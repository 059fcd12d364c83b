/** A parsed JSON value. */

export type { Json, JsonObject } from "./internal/json/model.ts"
