/**
 * A parsed JSON value.
 *
 * @stable
 */

export type { Json, JsonObject } from "./internal/json/model.ts"
