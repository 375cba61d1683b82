import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { parseDuration } from "../domain/quantity.ts"
import * as Token from "../domain/token.ts"
import * as TokenBook from "../ledger/token-book.ts"
import { Tokens, TokenUnknown } from "../services/tokens.ts"
import * as WorkspaceFiles from "../services/workspace-files.ts"
import * as Hint from "./hint.ts"
import type { Place } from "./ledger-place.ts"
import * as Output from "./output.ts"
import { plain, table } from "./plain-text.ts"
import * as Readers from "./project-readers.ts"
import { who } from "./who.ts"

const isName = Schema.is(Token.OwnerName)
const longestMillis = 3_650 * 86_400_000

/** The tokens of an environment, where its registry is. */
const tokens = ({ env, home, project }: Place) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { layer, layerOf } = yield* Effect.promise(() => import("../services/tokens-sql.ts"))
      const { layer: secrets } = yield* Effect.promise(() => import("../services/secrets.ts"))
      const { layerState } = yield* Effect.promise(() => import("../services/sqlite.ts"))
      const section = yield* Readers.database(project, env)
      const place = Layer.merge(Readers.workspace(project, home), secrets({ project }))
      return Layer.provide(section === undefined ? Layer.provide(layer, layerState) : layerOf(section), place)
    }),
  )

const stateOf = (token: Token.Token, now: number): string => {
  if (token.revoked !== null) return `revoked ${token.revoked} by ${token.revokedBy ?? ""}`
  if (!Token.isActive(token, now)) return `over since ${token.expires ?? ""}`
  return token.expires === null ? "until it is revoked" : `until ${token.expires}`
}

const shown = (token: Token.Token, now: number) => ({
  v: 1,
  kind: "token",
  ...token,
  active: Token.isActive(token, now),
})

/** What a person says of a token that is created. */
export interface TokenRequest {
  readonly name: string
  readonly role: Token.Role
  readonly expires: string | undefined
}

/** Creates a token for the API and shows its text, this once. */
export const createToken = Effect.fnUntraced(function* ({ expires, name, role }: TokenRequest) {
  const at = yield* Readers.find
  if (!isName(name)) {
    const reason = `${JSON.stringify(name)} is no name of an owner: letters, digits, '.', '_', '@', '-', like ann or deploy-bot`
    return yield* new Output.UsageError({ reason })
  }
  const lasts = expires === undefined ? undefined : parseDuration(expires)
  if (expires !== undefined && !(lasts !== undefined && lasts > 0 && lasts <= longestMillis)) {
    const reason = `--expires ${expires}: a duration with a unit, like 90d; more than 0, and at most 3650d`
    return yield* new Output.UsageError({ reason })
  }
  yield* WorkspaceFiles.makeHome(at.home)
  const { text, token } = yield* TokenBook.create(
    { name, role, ...(lasts === undefined ? {} : { lasts }) },
    who(),
  ).pipe(Effect.provide(Layer.merge(Readers.ledger(at), tokens(at))))
  const now = yield* Clock.currentTimeMillis
  if (at.flags.json) return yield* Output.json({ ...shown(token, now), text })
  const revoke = (yield* Hint.here).files(`token revoke ${token.id}`)
  yield* Output.message(
    `This is the token of ${name}, role ${role}, ${stateOf(token, now)}. It is shown this once; to take it back: ${revoke}`,
  )
  yield* Output.data(text)
})

const listed = Effect.fnUntraced(function* (at: Place) {
  const none: ReadonlyArray<Token.Token> = []
  if (!(yield* Readers.hasRegistry(at))) return none
  return yield* Effect.flatMap(Tokens, ({ list }) => list).pipe(Effect.provide(tokens(at)))
})

/** Lists the tokens; with `all` also those that let nobody in any more. */
export const listTokens = Effect.fnUntraced(function* (all: boolean) {
  const at = yield* Readers.find
  const now = yield* Clock.currentTimeMillis
  const known = yield* listed(at)
  const found = known.filter((token) => all || Token.isActive(token, now))
  if (at.flags.json) return yield* Effect.forEach(found, (token) => Output.json(shown(token, now)), { discard: true })
  if (found.length === 0) {
    const words = all || known.length === 0 ? "There are no tokens." : "None lets anybody in now; the others: --all"
    return yield* at.flags.quiet ? Effect.void : Output.message(words)
  }
  if (at.flags.quiet) return yield* Output.data(found.map(({ id }) => id).join("\n"))
  const rows = found.map((token) => [
    token.id,
    token.name,
    token.role,
    token.created,
    token.firstUsed ?? "never",
    plain(stateOf(token, now)),
  ])
  yield* Output.data(table([["token", "of", "role", "created", "first used", ""], ...rows]).join("\n"))
})

/** Revokes a token by its id: it lets nobody in from here on. */
export const revokeToken = Effect.fnUntraced(function* (id: string) {
  const at = yield* Readers.find
  if (!(yield* Readers.hasRegistry(at))) return yield* new TokenUnknown({ id })
  const token = yield* TokenBook.revoke(id, who()).pipe(Effect.provide(Layer.merge(Readers.ledger(at), tokens(at))))
  const now = yield* Clock.currentTimeMillis
  if (at.flags.json) return yield* Output.json(shown(token, now))
  yield* Output.data(`The token of ${token.name}, role ${token.role}, is ${plain(stateOf(token, now))}`)
})
