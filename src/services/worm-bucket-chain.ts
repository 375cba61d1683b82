import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ObjectStoreError, type ObjectVersion, type Store } from "./object-store.ts"
import * as WormBucket from "./worm-bucket.ts"
import {
  reportOf,
  verifyChain,
  type WormFiles,
  type WormHead,
  type WormProblem,
  type WormReport,
} from "./worm-chain.ts"
import * as Worm from "./worm-record.ts"

const disturbance = (
  path: string,
  first: ObjectVersion | undefined,
  later: ReadonlyArray<ObjectVersion>,
): ReadonlyArray<Pick<WormProblem, "kind" | "path" | "detail">> => {
  const kept =
    first === undefined ? "none of its versions is left" : `its first version ${first.version} is still there`
  const marker = later.find((version) => version.isMarker)
  const other = later.find((version) => !version.isMarker)
  return [
    ...(other === undefined
      ? []
      : [{ kind: "edited" as const, path, detail: `version ${other.version} was put over it, ${kept}` }]),
    ...(marker === undefined || other !== undefined
      ? []
      : [{ kind: "deleted" as const, path, detail: `it was removed by the marker ${marker.version}, ${kept}` }]),
  ]
}

/**
 * What a bucket has of one record type. Every object counts as its first version has it; that others came after it is a
 * problem of its own. A record is pending when it is the last, never was in its place, and no sealed head knows it.
 */
const filesOf = (
  chain: WormBucket.Chain,
  texts: ReadonlyMap<string, Option.Option<string>>,
  sealed: ReadonlyArray<WormHead>,
): WormFiles<never> => ({
  names: [...chain.firsts.keys()].toSorted(),
  text: (path) => Effect.succeed(texts.get(path) ?? Option.none()),
  pending: ({ path, record, sequence }, isLast) => {
    const isPending = isLast && !chain.later.has(path) && !sealed.some((head) => head.sequence === sequence)
    return Effect.succeed(isPending && record !== undefined ? Option.some(Worm.textOf(record)) : Option.none())
  },
  disturbed: [...chain.later].flatMap(([path, later]) => disturbance(path, chain.firsts.get(path), later)),
})

/** Objects that are read at a time. */
const parallel = 16

/**
 * Verifies the chains of write-once records in a bucket, as `verifyWorm` does those in a folder, and names besides what
 * was put over an object or removed it. Changes nothing. Appends may be under way.
 */
export const verifyBucket = (
  { location, versions }: Store,
  sealed: ReadonlyArray<WormHead> = [],
): Effect.Effect<WormReport, ObjectStoreError> =>
  Effect.gen(function* () {
    if (versions === undefined) {
      return yield* new ObjectStoreError({ location, key: "", reason: "it keeps no versions", transient: false })
    }
    const results = yield* Effect.forEach(Worm.RecordType.literals, (recordType) => {
      const heads = sealed.filter((head) => head.recordType === recordType)
      const once = Effect.gen(function* () {
        const chain = yield* WormBucket.read(versions, recordType)
        const texts = yield* Effect.forEach(
          chain.firsts.keys(),
          (path) => Effect.map(chain.text(path), (text) => [path, text] as const),
          { concurrency: parallel },
        )
        return yield* verifyChain(filesOf(chain, new Map(texts), heads), recordType, heads)
      })
      // What was appended while it was looked at is whole when it is looked at again.
      return once.pipe(
        Effect.filterOrElse(
          ({ problems }) => problems.length === 0,
          () => once,
        ),
      )
    })
    return reportOf(results)
  })
