/**
 * Why a session could not be opened, or could not be kept.
 *
 * @stable
 */

export { QuotaExceeded, ReleaseFailed, SessionRevoked } from "./internal/session/errors.ts"
export type { SessionError } from "./internal/session/errors.ts"
