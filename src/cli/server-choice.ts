import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { UsageError } from "./output.ts"
import { root } from "./root.ts"

/** In place of a URL: the daemon of the project, by its local socket. */
export const local = "local"

/** The base of a daemon's URLs, without a slash at its end, without `/api/v1`, and without what could be a secret. */
export const base = ({ origin, pathname }: URL): string =>
  `${origin}${pathname.replace(/\/+$/, "").replace(/\/api\/v1$/, "")}`

/** What names a daemon, as it may be shown. */
export const shown = (text: string): string =>
  URL.canParse(text) ? base(new URL(text)) : text === local ? local : "URL"

/** The URL of the daemon that a command is to ask: by `--server`, else by `DANDORI_SERVER`. Undefined for the project's files. */
export const named = Effect.map(root, ({ server }) =>
  Option.getOrElse(server, () => (process.env.DANDORI_SERVER === "" ? undefined : process.env.DANDORI_SERVER)),
)

/** What carries a command out: by a daemon where one is named, else on the project's files. */
export const either = <A, B>(daemon: () => Promise<A>, files: () => Promise<B>) =>
  Effect.flatMap(named, (url) => Effect.promise<A | B>(() => (url === undefined ? files() : daemon())))

/** For what no daemon does: `next` says what to do instead. */
export const filesOnly = (what: string, next: string) =>
  Effect.flatMap(named, (url) =>
    url === undefined ? Effect.void : new UsageError({ reason: `${what} is nothing that a daemon does. ${next}` }),
  )

/** For commands that never ask a daemon: whoever names one on the command line expects something else of them. */
export const refused = (command: string) =>
  Effect.flatMap(root, ({ server }) =>
    Option.isNone(server)
      ? Effect.void
      : new UsageError({
          reason: `dandori ${command} works on the files of a project, never by a daemon: leave out --server, and call it where they are`,
        }),
  )
