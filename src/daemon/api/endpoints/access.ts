import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { OwnerName, Role, Token } from "../../../domain/token.ts"
import { Needs } from "../authorization.ts"
import * as Problems from "../problems.ts"

/** A token that was just created: the one time that its text is told. */
const NewToken = Schema.Struct({ token: Token, text: Schema.String }).annotate({ identifier: "NewToken" })

/** How long a token lets its owner in. */
const Expiry = Schema.String.check(Schema.isPattern(/^[1-9][0-9]{0,3}d$/u, { message: "must be days, like 90d" }))

/** Who may use the API. */
export const tokens = HttpApiGroup.make("tokens").add(
  HttpApiEndpoint.get("list", "/tokens", { success: Schema.Struct({ tokens: Schema.Array(Token) }) })
    .annotate(Needs, "administer")
    .annotate(OpenApi.Summary, "The tokens, never their texts"),
  HttpApiEndpoint.post("create", "/tokens", {
    payload: Schema.Struct({ name: OwnerName, role: Role, expires: Schema.optionalKey(Expiry) }),
    success: NewToken.pipe(HttpApiSchema.status(201)),
  })
    .annotate(Needs, "administer")
    .annotate(OpenApi.Summary, "Creates a token for the person or program of that name; its text is told this once"),
  HttpApiEndpoint.post("revoke", "/tokens/:token/revoke", {
    params: { token: Schema.String.check(Schema.isPattern(/^[0-9a-f-]{36}$/u)) },
    success: Token,
    error: Problems.NotFound,
  })
    .annotate(Needs, "administer")
    .annotate(OpenApi.Summary, "Revokes a token; it lets nobody in from here on"),
)
