import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as SchemaIssue from "effect/SchemaIssue"
import { type Role, may, rolesFor } from "../../domain/token.ts"
import type { Actor } from "../../domain/actor.ts"
import { Ledger } from "../../ledger/ledger.ts"
import * as TokenBook from "../../ledger/token-book.ts"
import { Tokens } from "../../services/tokens.ts"
import { Host } from "../host.ts"
import { Authorization, Caller, Checked, Needs } from "./authorization.ts"
import { Door } from "./door.ts"
import * as Problems from "./problems.ts"

const nobody = new Problems.Unauthorized({
  code: "TokenMissing",
  detail:
    "Send a token that is valid now: Authorization: Bearer dandori_…; an administrator makes one: dandori token create",
})

/** The machine's user behind the local socket. */
export class LocalUser extends Context.Service<LocalUser, Actor>()("dandori/daemon/api/LocalUser") {}

/** Lets in by token, or by the socket, and only for what the role may do. */
export const authorization = Layer.effect(
  Authorization,
  Effect.gen(function* () {
    const ledger = yield* Ledger
    const tokens = yield* Tokens
    const host = yield* Host
    const local = yield* LocalUser

    const callerOf = Effect.fnUntraced(function* (text: string) {
      if (text === "" && (yield* Door) === "socket") return { actor: local, role: "admin" as Role }
      const admitted = TokenBook.admit(text).pipe(
        Effect.provideService(Ledger, ledger),
        Effect.provideService(Tokens, tokens),
        Effect.mapError(({ _tag, message }) => new Problems.Unavailable({ code: _tag, detail: message })),
      )
      const token = yield* admitted
      if (Option.isNone(token)) return yield* nobody
      const { name, role } = token.value
      return { actor: { authid: name, authtype: "api_key" } satisfies Actor, role }
    })

    return Authorization.of({
      bearer: Effect.fnUntraced(function* (answer, { credential, endpoint }) {
        const caller = yield* callerOf(Redacted.value(credential))
        const needed = Context.get(endpoint.annotations, Needs)
        if (!may(caller.role, needed)) {
          const roles = rolesFor(needed).join(" or ")
          const detail = `The token of ${caller.actor.authid} has the role ${caller.role}; this takes the role ${roles}`
          return yield* new Problems.Forbidden({ code: "RoleTooLow", detail })
        }
        if (needed === "operate" || needed === "approve") {
          const { ready, why = "it starts or stops" } = yield* host.state
          if (!ready) {
            const detail = `The daemon takes no such requests now: ${why}`
            return yield* new Problems.Unavailable({ code: "NotReady", detail })
          }
        }
        return yield* Effect.provideService(answer, Caller, caller)
      }),
    })
  }),
)

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

/** Says what of a request does not fit the document. */
export const checked = HttpApiMiddleware.layerSchemaErrorTransform(Checked, (error) => {
  if (error.kind === "Body" || error.kind === "ResponseHeaders") return Effect.die(error)
  const where = error.kind.toLowerCase()
  const errors = issuesOf(error.cause.issue).issues.map(({ message, path = [] }) => ({
    path: [where, ...path.map((part) => String(typeof part === "object" ? part.key : part))],
    message,
  }))
  return Effect.fail(
    new Problems.BadRequest({ code: "RequestInvalid", detail: "The request does not fit the document", errors }),
  )
})
