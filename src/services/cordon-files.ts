import { statSync } from "node:fs"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type Cordon, fromText, toText, unreadable } from "../domain/cordon.ts"
import * as Durable from "./durable-files.ts"

/** How long a look at the folder is good for. */
const freshMillis = 50

/** Cordons as files `<id>.json` in a folder, so that raising one is one small write. One that cannot be read is raised. */
export const make = (root: string) => {
  const pathOf = (id: string) => join(root, `${id}.json`)
  const readOne = (name: string) => {
    const id = name.slice(0, -".json".length)
    return Durable.attempt("read", join(root, name), () => Fs.readFile(join(root, name), "utf8")).pipe(
      Effect.map((text) => [fromText(id, text)]),
      // One that was lifted between the look at the folder and the read is gone.
      Effect.catch((error) => Effect.succeed(error.code === "ENOENT" ? [] : [unreadable(id, error.message)])),
    )
  }
  /** All that lie there, oldest first. */
  const list: Effect.Effect<ReadonlyArray<Cordon>> = Durable.attempt("list", root, () => Fs.readdir(root)).pipe(
    Effect.flatMap((names) => Effect.forEach(names.filter((name) => name.endsWith(".json")).toSorted(), readOne)),
    Effect.map((found) => found.flat().toSorted((a, b) => a.epoch - b.epoch)),
    Effect.catch((error) => Effect.succeed(error.code === "ENOENT" ? [] : [unreadable("?", error.message)])),
  )
  /** False where there is no folder, so that a project without cordons pays one system call for the look. */
  const mayHave = () => {
    try {
      return statSync(root, { throwIfNoEntry: false }) !== undefined
    } catch {
      return true
    }
  }
  let seen: { readonly at: number; readonly cordons: ReadonlyArray<Cordon> } | undefined
  const changed = Effect.sync(() => {
    seen = undefined
  })
  const put = <A>(write: (path: string, text: string) => Effect.Effect<A, Durable.FileFailed>) =>
    Effect.fnUntraced(function* (cordon: Cordon) {
      yield* Durable.makeFolderDurably(root)
      return yield* Effect.ensuring(write(pathOf(cordon.id), toText(cordon)), changed)
    })
  return {
    list,
    /** As `list`; what was looked up is good for 50 ms. */
    recent: Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (seen !== undefined && now - seen.at < freshMillis && now >= seen.at) return Effect.succeed(seen.cordons)
      return Effect.map(mayHave() ? list : Effect.succeed([]), (cordons) => {
        seen = { at: now, cordons }
        return cordons
      })
    }),
    /** Writes a new one; false where there is one of this id. */
    create: put((path, text) =>
      Effect.as(Durable.writeNewFileDurably(path, text), true).pipe(
        Effect.catchIf(
          ({ code }) => code === "EEXIST",
          () => Effect.succeed(false),
        ),
      ),
    ),
    replace: put((path, text) => Durable.writeFileDurably(path, text)),
    remove: (id: string) => Effect.ensuring(Durable.removeFileDurably(pathOf(id)), changed),
  }
}
