import * as Context from "effect/Context"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiSecurity from "effect/http-api/HttpApiSecurity"
import type { Actor } from "../../domain/actor.ts"
import type { Ability, Role } from "../../domain/token.ts"
import * as Problems from "./problems.ts"

/** Who asks, and what they may do. */
export class Caller extends Context.Service<Caller, { readonly actor: Actor; readonly role: Role }>()(
  "dandori/daemon/api/Caller",
) {}

/** What an endpoint does; one that does not say so is for administrators. */
export const Needs = Context.Reference<Ability>("dandori/daemon/api/Needs", { defaultValue: () => "administer" })

/** Lets in who carries a valid token whose role is enough; over the local socket, the machine's user without one. */
export class Authorization extends HttpApiMiddleware.Service<Authorization, { provides: Caller }>()(
  "dandori/daemon/api/Authorization",
  {
    security: { bearer: HttpApiSecurity.bearer },
    error: [Problems.Unauthorized, Problems.Forbidden, Problems.Unavailable],
  },
) {}

/** Answers with a problem where a request does not fit the document; and what the gate answers before any endpoint. */
export class Checked extends HttpApiMiddleware.Service<Checked>()("dandori/daemon/api/Checked", {
  error: [
    Problems.BadRequest,
    Problems.Forbidden,
    Problems.RequestTimeout,
    Problems.PayloadTooLarge,
    Problems.UnsupportedMediaType,
    Problems.Misdirected,
    Problems.TooManyRequests,
    Problems.HeadTooLarge,
    Problems.Internal,
    Problems.Unavailable,
  ],
}) {}
