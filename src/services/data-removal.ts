import * as Fs from "node:fs/promises"
import { dirname, join, sep } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { DataClass } from "../domain/data-retention.ts"
import * as Sha256 from "../domain/sha256.ts"
import * as DataUnits from "./data-units.ts"
import * as Durable from "./durable-files.ts"
import type { EvidenceError } from "./evidence.ts"
import * as FileLock from "./file-lock.ts"

const Going = Schema.Struct({ class: DataClass, path: Schema.String, bytes: Schema.Int })
const Left = Schema.Struct({ class: DataClass, path: Schema.String, why: Schema.String })
const Due = Schema.Struct({ ...Going.fields, from: Schema.Finite })

/** What a task of a run is about to remove, and what it makes of the rest. Written down before the first removal. */
export const Plan = Schema.Struct({
  going: Schema.Array(Going),
  due: Schema.Array(Due),
  left: Schema.Array(Left),
  kept: Schema.Int,
})
export type Plan = typeof Plan.Type
export type Going = typeof Going.Type
export type Left = typeof Left.Type

const text = Schema.fromJsonString(Plan)
const decode = Schema.decodeUnknownOption(text)
const encode = Schema.encodeSync(text)

const planPath = (home: string, key: string) => join(home, "retention", `${Sha256.of(key).slice(0, 32)}.json`)

/** Writes the plan of a task of a run down, over an earlier one; durable on return. */
export const writePlan = (home: string, key: string, plan: Plan): Effect.Effect<void, Durable.FileFailed> => {
  const path = planPath(home, key)
  return Effect.andThen(Durable.makeFolderDurably(dirname(path)), Durable.writeFileDurably(path, encode(plan)))
}

/** The plan that an earlier attempt of this task of this run has written; None when there is none that can be read. */
export const readPlan = (home: string, key: string): Effect.Effect<Option.Option<Plan>> => {
  const path = planPath(home, key)
  return Durable.attempt("read", path, () => Fs.readFile(path, "utf8")).pipe(
    Effect.map(decode),
    Effect.orElseSucceed(() => Option.none()),
  )
}

/** So many plans are kept: who tries again does so soon. */
const most = 100

/** Removes all plans but the newest. */
export const forgetPlans = Effect.fnUntraced(
  function* (home: string) {
    const folder = join(home, "retention")
    const names = yield* Durable.attempt("list", folder, () => Fs.readdir(folder))
    const plans = names.filter((name) => /^[0-9a-f]{32}\.json$/.test(name)).map((name) => join(folder, name))
    if (plans.length <= most) return
    const timed = yield* Effect.forEach(plans, (path) =>
      Effect.map(
        Durable.attempt("look at", path, () => Fs.lstat(path)),
        ({ mtimeMs }) => ({ path, mtimeMs }),
      ),
    )
    for (const { path } of timed.toSorted((a, b) => b.mtimeMs - a.mtimeMs).slice(most)) {
      yield* Durable.attempt("remove", path, () => Fs.unlink(path))
    }
  },
  (effect) => Effect.ignore(effect),
)

const isThere = (path: string) =>
  Durable.attempt("look at", path, () => Fs.lstat(path)).pipe(
    Effect.as(true),
    Effect.catchIf(
      (error) => error.code === "ENOENT" || error.code === "ENOTDIR",
      () => Effect.succeed(false),
    ),
  )

/** Whether something that was planned is gone, and nothing of it is left. */
export const isGone = ({ path }: Going): Effect.Effect<boolean, Durable.FileFailed> =>
  Effect.gen(function* () {
    return !(yield* isThere(path)) && !(yield* isThere(DataUnits.asideOf(path)))
  })

/** Removes a folder that was put aside, with all that is in it. Links in it are removed, and not followed. */
export const removeAside = (path: string): Effect.Effect<void, Durable.FileFailed> =>
  Effect.andThen(
    Durable.attempt("remove", path, () => Fs.rm(path, { recursive: true, force: true })),
    Durable.syncFolder(dirname(path)),
  )

/** Removes the folders above a path, up to the root, as long as they are empty. */
export const removeEmptyAbove: (path: string, root: string) => Effect.Effect<void> = Effect.fnUntraced(
  function* (path, root) {
    for (let at = dirname(path); at.startsWith(`${root}${sep}`); at = dirname(at)) {
      if (!(yield* Effect.isSuccess(Durable.attempt("remove", at, () => Fs.rmdir(at))))) return
    }
  },
)

/** Removes a partition's folder that holds nothing, unless somebody places something there just now. */
export const removeHollow = (unit: DataUnits.Unit): Effect.Effect<void> =>
  alone(unit).pipe(
    Effect.andThen(Durable.attempt("remove", unit.path, () => Fs.rmdir(unit.path))),
    Effect.andThen(removeEmptyAbove(unit.path, unit.root)),
    Effect.scoped,
    Effect.ignore,
  )

const changed = "it was put again, or changed, since it was judged"

/** Who places a partition holds its folder: what is looked at under its lock is what is removed. */
const alone = ({ class: kind, path }: DataUnits.Unit) =>
  kind === "canonical" ? Effect.asVoid(FileLock.acquireFolder(path, "exclusive")) : Effect.void

/**
 * Removes a unit, if it is still what was seen: the same bytes, put at the same time. A folder goes as a whole: it is renamed
 * first, while a file, whose name in itself is empty, is removed at once. The folders above that are empty then go too, up to the root. Answers with why it is left; undefined where it is
 * gone. `check` looks at what could keep it.
 */
export const removeOne = <R>(
  unit: DataUnits.Unit,
  seen: DataUnits.Digested,
  check: Effect.Effect<string | undefined, EvidenceError, R>,
): Effect.Effect<string | undefined, EvidenceError, R> =>
  Effect.gen(function* () {
    yield* alone(unit)
    const now = yield* DataUnits.look(unit)
    if (now.odd !== undefined) return now.odd
    if (!DataUnits.isSame(now, seen)) return changed
    if ((yield* DataUnits.digest(unit, now)).digest !== seen.digest) return changed
    const why = yield* check
    if (why !== undefined) return why
    // Bytes take their time to be digested, and something may have come to them meanwhile.
    if (!DataUnits.isSame(yield* DataUnits.look(unit), seen)) return changed
    const [first] = seen.files
    if (first !== "") {
      const aside = DataUnits.asideOf(unit.path)
      yield* Durable.renameDurably(unit.path, aside)
      // Where locks do not reach, as to another machine of a network disk, somebody may have put something there till now.
      // An empty folder has no time but its own, which the rename has changed.
      if (first !== undefined && !DataUnits.isSame(yield* DataUnits.look(unit, aside), seen)) {
        yield* Durable.renameDurably(aside, unit.path)
        return changed
      }
      yield* removeAside(aside)
    } else yield* Durable.removeFileDurably(unit.path)
    yield* removeEmptyAbove(unit.path, unit.root)
    return undefined
  }).pipe(
    Effect.scoped,
    Effect.catchTags({
      LockBusy: () => Effect.succeed("somebody places it now; it goes another time"),
      LockFailed: ({ message }) => Effect.succeed(message),
      FileFailed: ({ code, message }) => Effect.succeed(code === "ENOENT" ? "it is not there any more" : message),
    }),
  )
