import * as Schema from "effect/Schema"
import { Duration } from "../quantity.ts"
import { Count, Name } from "./measure.ts"
import { SecretReference } from "./secret-reference.ts"

/**
 * Where the registry and the audit tables are: `embedded` is the file `state.db` of the project, `postgres` the server of
 * `dsn` (a reference to a `postgres://` URL). `pool` in connections.
 */
export const DatabaseSection = Schema.Struct({
  backend: Schema.Literals(["embedded", "postgres"]),
  dsn: SecretReference,
  pool: Schema.Struct({ min: Count, max: Count }).check(
    Schema.makeFilter(({ max, min }) => min <= max || "min must not be above max"),
  ),
  timeout: Duration,
  statement_timeout: Duration,
  search_path: Schema.Array(Name),
})
export type DatabaseSection = typeof DatabaseSection.Type
