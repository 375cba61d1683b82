import { readFile } from "node:fs/promises"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { isText } from "../../domain/token.ts"
import { exitCodes } from "../exit-code.ts"
import { UsageError } from "../output.ts"
import { base } from "../server-choice.ts"

/** The token that a daemon is to be shown cannot be read, or is none. */
export class TokenUnusable extends Schema.TaggedError<TokenUnusable>()("TokenUnusable", {
  source: Schema.String,
  reason: Schema.String,
}) {
  readonly exitCode = exitCodes.config
  override get message() {
    return `${this.source} ${this.reason}. An administrator makes one where the daemon runs: dandori token create`
  }
}

/** The base of a daemon's URLs, without a slash at its end; with or without `/api/v1`, as the daemon says it. */
export const baseOf = (text: string): Effect.Effect<string, UsageError> => {
  const wrong = (reason: string) => Effect.fail(new UsageError({ reason: `--server (DANDORI_SERVER) ${reason}` }))
  if (!URL.canParse(text))
    return wrong("is no URL. Write it like http://127.0.0.1:4600, or local for the daemon of this project")
  const url = new URL(text)
  const { host, password, protocol, username } = url
  if (host === "" || (protocol !== "http:" && protocol !== "https:")) {
    return wrong("has to begin with http:// or https://, like http://127.0.0.1:4600")
  }
  if (username !== "" || password !== "") {
    return wrong("holds a secret: leave out what stands before the @. The token is read from DANDORI_TOKEN")
  }
  return Effect.succeed(base(url))
}

const checked = (source: string, text: string) =>
  isText(text.trim())
    ? Effect.succeed(text.trim())
    : Effect.fail(new TokenUnusable({ source, reason: "holds no token: one begins with dandori_" }))

/** The token by the environment; undefined where it has none. A flag would show it to everybody who lists processes. */
export const token = Effect.suspend((): Effect.Effect<string | undefined, TokenUnusable> => {
  const { DANDORI_TOKEN: text = "", DANDORI_TOKEN_FILE: file = "" } = process.env
  if (text !== "") return checked("DANDORI_TOKEN", text)
  if (file === "") return Effect.undefined
  const source = `The file ${file} that DANDORI_TOKEN_FILE names`
  return Effect.tryPromise({
    try: () => readFile(file, "utf8"),
    catch: (error) =>
      new TokenUnusable({
        source,
        reason: `cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      }),
  }).pipe(Effect.flatMap((found) => checked(source, found)))
})
