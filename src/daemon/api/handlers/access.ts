import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { parseDuration } from "../../../domain/quantity.ts"
import * as TokenBook from "../../../ledger/token-book.ts"
import { Acting } from "../../../services/acting.ts"
import { Tokens } from "../../../services/tokens.ts"
import { Caller } from "../authorization.ts"
import { Api } from "../document.ts"
import * as Problems from "../problems.ts"

const problemOf = (error: { readonly _tag: string; readonly message: string }) =>
  new Problems.Unavailable({ code: error._tag, detail: error.message })

/** Answers about tokens. */
export const tokens = HttpApiBuilder.group(
  Api,
  "tokens",
  Effect.fnUntraced(function* (handlers) {
    const all = yield* Tokens
    return handlers.handleAll({
      list: () =>
        all.list.pipe(
          Effect.map((tokens) => ({ tokens })),
          Effect.mapError(problemOf),
        ),
      create: Effect.fnUntraced(function* ({ payload: { expires, name, role } }) {
        const { actor } = yield* Caller
        const lasts = expires === undefined ? undefined : parseDuration(expires)
        const wish = { name, role, ...(lasts === undefined ? {} : { lasts }) }
        return yield* TokenBook.create(wish, actor.authid).pipe(
          Effect.provideService(Acting, actor),
          Effect.mapError(problemOf),
        )
      }),
      revoke: Effect.fnUntraced(function* ({ params }) {
        const { actor } = yield* Caller
        return yield* TokenBook.revoke(params.token, actor.authid).pipe(
          Effect.provideService(Acting, actor),
          Effect.mapError((error) =>
            error._tag === "TokenUnknown"
              ? new Problems.NotFound({ code: error._tag, detail: `There is no token ${error.id}` })
              : problemOf(error),
          ),
        )
      }),
    })
  }),
)
