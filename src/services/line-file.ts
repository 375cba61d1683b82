import { constants } from "node:fs"
import * as Fs from "node:fs/promises"
import * as Effect from "effect/Effect"
import * as Durable from "./durable-files.ts"

/**
 * Appends lines to a file, which is made when it is missing, after a newline where a crash has left a half line; flushed on
 * return. Links are not followed. The folder has to exist.
 */
export const append = (path: string, lines: ReadonlyArray<string>): Effect.Effect<void, Durable.FileFailed> =>
  Effect.acquireUseRelease(
    Durable.attempt("open", path, () =>
      Fs.open(path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW, 0o644),
    ),
    (handle) =>
      Effect.gen(function* () {
        const { size } = yield* Durable.attempt("look at", path, () => handle.stat())
        const last = new Uint8Array([10])
        if (size > 0) yield* Durable.attempt("read", path, () => handle.read(last, 0, 1, size - 1))
        const text = lines.map((line) => `${line}\n`).join("")
        yield* Durable.attempt("append to", path, () => handle.appendFile(last[0] === 10 ? text : `\n${text}`))
        yield* Durable.attempt("flush", path, () => handle.sync())
      }),
    (handle) => Effect.ignore(Durable.attempt("close", path, () => handle.close())),
  )
