import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Pushed } from "../../../domain/pushed.ts"
import { type Confirmed, type Destination, DestinationFailed } from "../destination/destination.ts"
import { putBytes } from "../destination/given-bytes.ts"
import { isSame, type Item, looks } from "./push-items.ts"
import type { OpenReading, Reading } from "../sources/reading.ts"

/** What became of an item. `sent` are bytes that went over the wire for it. */
export type Outcome =
  | { readonly kind: "pushed"; readonly line: Pushed; readonly sent: number; readonly isNew: boolean }
  | { readonly kind: "notTaken"; readonly reason: string }

/** A destination takes nothing more. */
export class RungBroken extends Schema.TaggedError<RungBroken>()("RungBroken", {
  reason: Schema.String,
  refused: Schema.Boolean,
}) {
  override get message() {
    return this.reason
  }
}

/** Tries of an object whose destination still takes others. */
const tries = 3

/**
 * Whether a destination still takes something, after an object failed: it is given another small one. The answer holds for
 * those that ask at the same time.
 */
export const health = (destination: Destination, incident: string) => {
  let running: Effect.Effect<void, DestinationFailed> | undefined
  return Effect.suspend(() => {
    if (running !== undefined) return running
    return Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const key = `probe/${incident}-again-${now}`
      const ask = yield* Effect.cached(
        putBytes(destination, key, `Dandori asked with this object whether more is taken here (${now}).\n`, false).pipe(
          Effect.asVoid,
          Effect.ensuring(Effect.sync(() => (running = undefined))),
        ),
      )
      running = ask
      return yield* ask
    })
  })
}

/** What pushing an item needs. */
export interface Pushing {
  readonly destination: Destination
  readonly open: OpenReading
  readonly isHealthy: Effect.Effect<void, DestinationFailed>
  /** What the destination confirmed before, of an item's place. */
  readonly before: (item: Item) => Pushed | undefined
  /** The bundles are complete there: sources are not looked at again. */
  readonly isSealed: boolean
}

/**
 * Pushes an item, unless the destination confirmed it before. What was confirmed stays, also where the source has changed
 * since: then it is marked. Fails where the destination takes nothing more.
 */
export const push = Effect.fnUntraced(function* (
  { before, destination, isHealthy, isSealed, open }: Pushing,
  item: Item,
): Effect.fn.Return<Outcome, RungBroken> {
  const { file, key } = item
  const known = before(item)
  if (known !== undefined) {
    const now = isSealed ? undefined : yield* looks(file)
    const isChanged = now !== undefined && !isSame(now, known.seen) && known.unstable !== true
    const line: Pushed = isChanged ? { ...known, unstable: true } : known
    return { kind: "pushed", line, sent: 0, isNew: isChanged }
  }
  let seen: Reading["seen"] | undefined
  const put = destination.put({
    key,
    lock: file.to === "evidence",
    open: Effect.tap(open(file, destination.pieceBytes), (reading) => Effect.sync(() => (seen = reading.seen))),
  })
  const lineOf = (took: Omit<Confirmed, "sent" | "key">, isUnstable: boolean) =>
    Effect.map(Clock.currentTimeMillis, (at): Pushed => {
      const { bytes, checksum, end, parts, sha256 } = took
      return {
        rung: destination.name,
        to: file.to,
        path: file.path,
        key,
        bytes,
        sha256,
        at,
        seen: seen ?? { bytes: file.bytes, mtimeNs: "0", inode: "0" },
        ...(parts === undefined ? {} : { parts }),
        ...(checksum === undefined ? {} : { checksum }),
        ...(isUnstable ? { unstable: true } : {}),
        ...(end.original === undefined ? {} : { original: end.original }),
        ...(end.redactions === undefined ? {} : { redactions: end.redactions }),
      }
    })
  const broken = (error: DestinationFailed) => new RungBroken({ reason: error.message, refused: error.refused })

  for (let attempt = 1; ; attempt++) {
    const result = yield* Effect.result(put)
    if (result._tag === "Success") {
      const { end, sent } = result.success
      return { kind: "pushed", line: yield* lineOf(result.success, end.changed), sent, isNew: true }
    }
    const { failure } = result
    if (failure._tag === "SourceFailed") return { kind: "notTaken", reason: failure.reason }
    // An earlier call stored it and was killed before it could note that; the source has changed since.
    if (failure.there !== undefined) {
      const line = yield* lineOf({ ...failure.there, end: { changed: true } }, true)
      return { kind: "pushed", line, sent: 0, isNew: true }
    }
    if (failure.refused) return yield* Effect.fail(broken(failure))
    yield* Effect.mapError(isHealthy, broken)
    if (!failure.transient || attempt === tries) return { kind: "notTaken", reason: failure.message }
  }
})
