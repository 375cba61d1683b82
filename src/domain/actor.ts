import * as Schema from "effect/Schema"

/** What kind of identity an actor is (CloudEvents, Auth Context extension, `authtype`). */
export const AuthType = Schema.Literals(["user", "api_key", "service_account", "system"])
export type AuthType = typeof AuthType.Type

/**
 * Who acted, as entries of the ledger hold it: the operating system's user on a command line, the token's owner over the
 * API.
 */
export const Actor = Schema.Struct({ authid: Schema.String, authtype: AuthType })
export type Actor = typeof Actor.Type
