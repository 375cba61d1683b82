import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Cordon from "../domain/cordon.ts"
import * as CordonFiles from "./cordon-files.ts"
import * as CordonLooks from "./cordon-looks.ts"
import type { Look } from "./cordon-rows-postgres.ts"
import { CordonFailed, CordonMissing, Cordons, CordonTaken, firstAgainst, type Raised } from "./cordons.ts"

type RowsUnseen = CordonLooks.RowsUnseen

/** The rows that machines share; each call ends within `timeoutMillis`. */
export interface SharedRows {
  readonly timeoutMillis: number
  /** Those that stand, and those of these ids that were lifted. */
  readonly look: (ids: ReadonlyArray<string>) => Effect.Effect<Look, RowsUnseen>
  /** Adds the one that `choose` makes of what is there of this id. */
  readonly raise: (
    id: string,
    choose: (found: Look) => Effect.Effect<Cordon.Cordon, CordonTaken>,
  ) => Effect.Effect<Cordon.Cordon, RowsUnseen | CordonTaken>
  /** Lifts the one of this id; undefined where none stands. */
  readonly lift: (id: string) => Effect.Effect<Cordon.Cordon | undefined, RowsUnseen>
}

/** Files that the rows do not tell of, and the rows; a file whose cordon was lifted elsewhere says nothing. */
const merged = (files: ReadonlyArray<Cordon.Cordon>, { lifted, standing }: Look): ReadonlyArray<Cordon.Cordon> => {
  const known = [...standing, ...lifted]
  const own = files.filter((file) => !known.some((row) => Cordon.isSame(row, file)))
  return [...own, ...standing].toSorted((a, b) => a.epoch - b.epoch)
}

/** What stands for the cordons of a database that cannot be read. */
const unread = ({ message }: RowsUnseen) => Cordon.unreadable("?", message, "what is raised in PostgreSQL")

const noted = (message: string) => `${message}; on other machines it keeps nobody until it is raised again here`

/**
 * The cordons of a folder and those in the rows that machines share. Raised in both, the folder first; either will do
 * where the other fails. A row that was lifted takes the file of the same raise with it, on every machine.
 */
export const make = Effect.fnUntraced(function* (root: string, rows: SharedRows) {
  const files = CordonFiles.make(root)
  const look = Effect.flatMap(files.recent, (own) => rows.look(own.map(({ id }) => id)))
  const looks = yield* CordonLooks.make({ look, timeoutMillis: rows.timeoutMillis })

  const list = Effect.gen(function* () {
    const own = yield* files.list
    const seen = yield* Effect.result(rows.look(own.map(({ id }) => id)))
    return Result.isSuccess(seen) ? merged(own, seen.success) : [unread(seen.failure), ...own]
  })

  const lookOnce = Effect.gen(function* () {
    const own = yield* files.recent
    const seen = yield* looks.recent
    const now = yield* Clock.currentTimeMillis
    if (Result.isSuccess(seen)) {
      const all = merged(own, seen.success)
      return (starter: Cordon.Starter) => firstAgainst(all, now, starter)
    }
    const blind = [unread(seen.failure)]
    return (starter: Cordon.Starter) => {
      const found = firstAgainst(own, now, starter)
      // Who repairs what a cordon here is about is not kept by what nobody can see.
      if (Option.isSome(found) || own.some(({ id }) => id === starter.incident)) return found
      return firstAgainst(blind, now, starter)
    }
  })

  return Cordons.of({
    list,
    look: lookOnce,
    against: (starter) => Effect.map(lookOnce, (found) => found(starter)),

    raise: Effect.fnUntraced(function* (given) {
      const { id } = given
      const before = yield* files.list
      const draft = { ...given, epoch: Cordon.nextEpoch(before), raised: yield* Clock.currentTimeMillis }
      const file = yield* Effect.result(files.create(draft))
      const isThere = Result.isSuccess(file) && !file.success
      const earlier = isThere ? (yield* files.list).find((cordon) => cordon.id === id) : undefined
      const choose = ({ lifted, standing: [standing] }: Look) => {
        if (standing !== undefined) return Effect.fail(new CordonTaken({ id, epoch: standing.epoch }))
        if (earlier === undefined || lifted.some((row) => Cordon.isSame(row, earlier))) return Effect.succeed(draft)
        return Cordon.isUnreadable(earlier)
          ? Effect.fail(new CordonTaken({ id, epoch: earlier.epoch }))
          : Effect.succeed(earlier)
      }
      const row = yield* Effect.ensuring(Effect.result(rows.raise(id, choose)), looks.changed)

      if (Result.isSuccess(row)) {
        const raised: Raised = row.success
        if (Result.isFailure(file)) return { ...raised, degraded: file.failure.message }
        // With the epoch that it has in the end; the one that stands there holds as well.
        yield* Effect.ignore(files.replace(row.success))
        return raised
      }
      if (row.failure._tag === "CordonTaken") {
        if (Result.isSuccess(file) && !isThere) yield* Effect.ignore(files.remove(id))
        return yield* row.failure
      }
      const problem = row.failure.message
      if (isThere) return yield* new CordonTaken({ id, epoch: earlier?.epoch ?? 0, unseen: noted(problem) })
      if (Result.isSuccess(file)) return { ...draft, degraded: noted(problem) }
      return yield* new CordonFailed({ id, to: "raise", problems: [file.failure.message, problem] })
    }),

    lift: Effect.fnUntraced(function* (id) {
      const own = (yield* files.list).find((cordon) => cordon.id === id)
      const row = yield* Effect.ensuring(Effect.result(rows.lift(id)), looks.changed)
      const file = own === undefined ? undefined : yield* Effect.flip(files.remove(id)).pipe(Effect.option)
      const problems = [
        ...(file === undefined || Option.isNone(file) ? [] : [file.value.message]),
        ...(Result.isFailure(row) ? [row.failure.message] : []),
      ]
      if (Result.isFailure(row) || problems.length > 0) return yield* new CordonFailed({ id, to: "lift", problems })
      const found = row.success ?? own
      if (found === undefined) return yield* new CordonMissing({ id, known: (yield* list).map((cordon) => cordon.id) })
      return found
    }),
  })
})
