import * as Schema from "effect/Schema"
import { Duration } from "../quantity.ts"
import { SecretReference } from "./secret-reference.ts"

const Key = Schema.String.check(Schema.isMinLength(1))

/**
 * Signals between processes: `embedded` keeps them in the project, `redis` in the server of `url` (a reference to a
 * `redis://` URL). Names of channels and keys; `heartbeat_ttl` is how long a worker counts as alive after its last sign.
 */
export const MessagingSection = Schema.Struct({
  backend: Schema.Literals(["embedded", "redis"]),
  url: SecretReference,
  channels: Schema.Struct({ inference_requests: Key, inference_signals: Key, ops_events: Key }),
  keys: Schema.Struct({ ops_flags: Key, worker_heartbeats: Key }),
  subscribe_timeout: Duration,
  heartbeat_ttl: Duration,
})
export type MessagingSection = typeof MessagingSection.Type
