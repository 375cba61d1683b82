import { resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { Missing } from "./missing.ts"

/** The text of a file that a flag names, from the working folder on. */
export const read = Effect.fnUntraced(function* (flag: string, file: string) {
  const fs = yield* FileSystem.FileSystem
  return yield* fs
    .readFileString(resolve(process.cwd(), file))
    .pipe(
      Effect.mapError(
        (error) => new Missing({ what: `${flag} ${file} cannot be read (${error.message})`, next: "Name a file" }),
      ),
    )
})
