import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Sha256 } from "../domain/sha256.ts"
import type { Token } from "../domain/token.ts"

/** The tokens cannot be read or written: nobody is let in. */
export class TokensUnavailable extends Schema.TaggedError<TokensUnavailable>()("TokensUnavailable", {
  reason: Schema.String,
  transient: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect()),
}) {
  override get message() {
    return `The tokens cannot be read or written: ${this.reason}`
  }
}

/** There is no token of this id or name. */
export class TokenUnknown extends Schema.TaggedError<TokenUnknown>()("TokenUnknown", { id: Schema.String }) {
  readonly notApplied = true
  /** As for other input that is not there. */
  readonly exitCode = 66
  override get message() {
    return `There is no token ${this.id} that lets anybody in; see dandori token list`
  }
}

/** What is said of a token that is created. */
export type NewToken = Pick<Token, "id" | "name" | "role" | "createdBy" | "expires"> & { readonly digest: Sha256 }

/** The tokens of the API, where the registry is: rows are added, revoked once, and never removed. */
export class Tokens extends Context.Service<
  Tokens,
  {
    /** All of them, those that let nobody in any more too, oldest first. */
    readonly list: Effect.Effect<ReadonlyArray<Token>, TokensUnavailable>
    /** The one whose text has this digest, whether or not it still lets anybody in. */
    readonly find: (digest: Sha256) => Effect.Effect<Option.Option<Token>, TokensUnavailable>
    /** The same id again changes nothing. */
    readonly add: (token: NewToken) => Effect.Effect<Token, TokensUnavailable>
    /** Notes that it was used; the first time counts. */
    readonly used: (id: string) => Effect.Effect<void, TokensUnavailable>
    /** One that was revoked before stays as it is. */
    readonly revoke: (id: string, who: string) => Effect.Effect<Token, TokensUnavailable | TokenUnknown>
  }
>()("dandori/services/Tokens") {}
