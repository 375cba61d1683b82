import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import * as Token from "../domain/token.ts"
import { Acting } from "../services/acting.ts"
import { Ids } from "../services/ids.ts"
import { Tokens, TokenUnknown } from "../services/tokens.ts"
import { Ledger } from "./ledger.ts"
import * as StreamName from "./stream-name.ts"

/** What a person says of a token that is created; it lets in for so long (milliseconds), or until it is revoked. */
export interface Wish {
  readonly name: string
  readonly role: Token.Role
  readonly lasts?: number
}

/** Creates a token: recorded in the ledger, then it counts. Its text is told here and nowhere else. */
export const create = Effect.fn("TokenBook.create")(function* ({ lasts, name, role }: Wish, who: string) {
  const id = (yield* Ids).uuid()
  const now = yield* Clock.currentTimeMillis
  const text = Token.textOf(crypto.getRandomValues(new Uint8Array(32)))
  const expires = lasts === undefined ? null : new Date(now + lasts).toISOString()
  yield* (yield* Ledger).record(StreamName.system, [
    {
      type: "dev.dandori.token.created.v1",
      data: { token: id, name, role, ...(expires === null ? {} : { expires }) },
    },
  ])
  const tokens = yield* Tokens
  return { token: yield* tokens.add({ id, name, role, createdBy: who, expires, digest: Token.digestOf(text) }), text }
})

/** Revokes a token: recorded in the ledger, then it lets nobody in. One that was revoked before stays as it is. */
export const revoke = Effect.fn("TokenBook.revoke")(function* (id: string, who: string) {
  const tokens = yield* Tokens
  const found = (yield* tokens.list).find((token) => token.id === id)
  if (found === undefined) return yield* new TokenUnknown({ id })
  if (found.revoked !== null) return found
  const { name, role } = found
  yield* (yield* Ledger).record(StreamName.system, [
    { type: "dev.dandori.token.revoked.v1", data: { token: id, name, role } },
  ])
  return yield* tokens.revoke(id, who)
})

const turn = Semaphore.makeUnsafe(1)

/** The token of a text, while it lets its owner in. Its first use is recorded before anything comes of it. */
export const admit = Effect.fn("TokenBook.admit")(function* (text: string) {
  if (!Token.isText(text)) return Option.none<Token.Token>()
  const tokens = yield* Tokens
  const digest = Token.digestOf(text)
  const now = yield* Clock.currentTimeMillis
  const known = Option.filter(yield* tokens.find(digest), (token) => Token.isActive(token, now))
  if (Option.isNone(known) || known.value.firstUsed !== null) return known
  const { id, name, role } = known.value
  yield* Effect.gen(function* () {
    const again = yield* tokens.find(digest)
    if (Option.isNone(again) || again.value.firstUsed !== null) return
    const entry = { type: "dev.dandori.token.used.v1", data: { token: id, name, role } } as const
    const recorded = (yield* Ledger).record(StreamName.system, [entry])
    yield* Effect.provideService(recorded, Acting, { authid: name, authtype: "api_key" })
    yield* tokens.used(id)
  }).pipe(turn.withPermit)
  return known
})
