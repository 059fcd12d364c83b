/**
 * What can go wrong on the way to a server and back. Each says whether something was sent, since that decides what a
 * retry may cost. The limits on time are in `Timeouts`.
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
