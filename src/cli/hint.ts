import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { argument } from "./render/line.ts"
import { root } from "./root.ts"
import * as ServerChoice from "./server-choice.ts"

/** How an answer writes a command that it tells, so that what is copied looks at what this call looked at. */
export interface Hint {
  /** A command, without `dandori`, that a daemon answers as well as the files. */
  readonly either: (words: string) => string
  /** A command that works on files only; where a daemon was asked at another place, it says so as a shell's comment. */
  readonly files: (words: string) => string
}

/** By the flags of a call. What the environment says, it says to the next call as well. */
export const of = (called: { readonly env: Option.Option<string>; readonly server: Option.Option<string> }): Hint => {
  const env = Option.match(called.env, { onNone: () => "", onSome: (name) => ` --env ${name}` })
  const url = Option.getOrUndefined(called.server)
  const server = url === undefined ? "" : ` --server ${argument(ServerChoice.shown(url))}`
  const elsewhere = url === undefined || url === ServerChoice.local ? "" : "  # where the daemon runs"
  return {
    either: (words) => `dandori ${words}${env}${server}`,
    files: (words) => `dandori ${words}${env}${elsewhere}`,
  }
}

/** By the flags of this call. */
export const here = Effect.map(root, of)
