/**
 * The errors of sending a request and receiving its response. Each declares whether anything was sent, since that decides
 * what a retry may cost. The errors of time limits are in `Timeouts`.
 *
 * @stable
 */

export {
  BodyTooLarge,
  ConnectFailed,
  ConnectionLost,
  HeadersTooLarge,
  InvalidRequest,
  InvalidUrl,
  ProxyFailed,
  QueueFull,
  RequestBodyFailed,
  TransportClosed,
  UnreadBodyClosed
} from "./internal/transport/errors.ts"
export type { TransportError } from "./internal/transport/errors.ts"
