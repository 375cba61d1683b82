import { constants } from "node:fs"
import * as Fs from "node:fs/promises"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Request } from "../domain/request.ts"
import * as Durable from "./durable-files.ts"
import * as Users from "./users.ts"

/** What a file in an inbox holds: a request and the run that it is for, so that it says nothing to another. */
const LetterText = Schema.fromJsonString(Schema.Struct({ run: Schema.String, request: Request }))
const decode = Schema.decodeUnknownOption(LetterText)

/** Largest request that is read, bytes. */
export const largestRequest = 1 << 20

/** The text of a request to a run. */
export const textOf = (run: string, request: Request): string => Schema.encodeSync(LetterText)({ run, request })

/** What a request's file amounts to: the request and its file's owner, why it is none, or nothing that could be taken (yet). */
export type Found = { readonly request: Request; readonly by: string } | { readonly refused: string } | "nothing"

const noPlainFile = { refused: "It is no plain file" }
/** A link is not followed, and a pipe or a device is not waited for. */
const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/**
 * Reads a request's file. It counts only as its user wrote it: the owner is that of the opened file itself, which has no
 * second name under which another could have put somebody's words here.
 */
export const read = (path: string, run: string): Effect.Effect<Found, Durable.FileFailed> =>
  Effect.acquireUseRelease(
    Durable.attempt("open", path, () => Fs.open(path, flags)),
    (handle) =>
      Effect.gen(function* () {
        const seen = yield* Durable.attempt("look at", path, () => handle.stat())
        if (seen.isDirectory()) return "nothing"
        if (!seen.isFile()) return noPlainFile
        // Two names: it is being put here, or it is somebody else's file.
        if (seen.nlink !== 1) return "nothing"
        if (seen.size > largestRequest) return { refused: `It is larger than ${largestRequest} bytes` }
        const letter = decode(yield* Durable.attempt("read", path, () => handle.readFile("utf8")))
        if (Option.isNone(letter)) return { refused: "It is no request that this version of dandori knows" }
        if (letter.value.run !== run) return { refused: "It is a request to another run" }
        return { request: letter.value.request, by: Users.nameOf(seen.uid) }
      }),
    (handle) => Effect.ignore(Durable.attempt("close", path, () => handle.close())),
  ).pipe(
    Effect.catchIf(
      (error) => error.operation === "open",
      (error): Effect.Effect<Found> =>
        Effect.succeed(
          error.code === "ENOENT"
            ? "nothing"
            : error.code === "ELOOP" || error.code === "ENXIO"
              ? noPlainFile
              : { refused: error.message },
        ),
    ),
  )
