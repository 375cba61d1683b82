import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Sha256 from "../domain/sha256.ts"
import type { CloudFailed } from "./cloud-errors.ts"
import { CloudSnapshotFailed, CloudSnapshotLate, type Taking } from "./cloud-snapshots.ts"

/** How far a snapshot is; `whole` is what it is when it is whole. */
export interface Look<A> {
  readonly status: string
  readonly percent: number
  readonly whole: Option.Option<A>
}

const sixHours = 6 * 3_600_000
const firstPauseMillis = 500
const longestPauseMillis = 15_000

/**
 * Waits until a snapshot is whole. One that no answer has shown yet may show up later; one that is gone again was deleted.
 * Requests that fail for a passing reason are sent again until the deadline, which is counted from the first look.
 */
export const untilWhole = <A>(
  snapshot: string,
  look: Effect.Effect<Option.Option<Look<A>>, CloudFailed | CloudSnapshotFailed>,
  { deadlineMillis = sixHours, onProgress = () => Effect.void }: Omit<Taking, "record">,
): Effect.Effect<A, CloudFailed | CloudSnapshotFailed | CloudSnapshotLate> => {
  let status = "not seen yet"
  let isSeen = false
  let pause = firstPauseMillis
  const step = Effect.gen(function* () {
    const answer = yield* Effect.catchIf(
      look,
      (error) => error.transient,
      (error) => Effect.succeed(error),
    )
    if (!Option.isOption(answer)) {
      status = `unknown, since ${answer.message},`
      return Option.none<A>()
    }
    if (Option.isSome(answer)) {
      isSeen = true
      status = answer.value.status
      yield* onProgress({ done: answer.value.percent, total: 100, unit: "%", note: `${snapshot} is ${status}` })
      return answer.value.whole
    }
    if (!isSeen) return Option.none<A>()
    return yield* new CloudSnapshotFailed({
      snapshot,
      status: "gone",
      reason: "somebody deleted it while it was waited for; run this again to take another",
    })
  })
  const wait = Effect.gen(function* () {
    for (;;) {
      yield* Effect.sleep(pause)
      pause = Math.min(pause * 1.5, longestPauseMillis)
      const whole = yield* step
      if (Option.isSome(whole)) return whole.value
    }
  }).pipe(
    Effect.timeoutOrElse({
      duration: deadlineMillis,
      orElse: () => Effect.fail(new CloudSnapshotLate({ snapshot, status, waitedMillis: deadlineMillis })),
    }),
  )
  return Effect.flatMap(step, Option.match({ onNone: () => wait, onSome: (whole) => Effect.succeed(whole) }))
}

/** The tag that says which task of which run a snapshot is of. */
export const recordTag = "dandori:record"

/** A record as the value of a tag: RDS takes letters, digits, spaces and `_.:/=+-@`, 256 characters at most. */
export const tagValue = (record: string): string => {
  const plain = record.replaceAll(/[^\p{L}\p{N} _.:/=+\-@]/gu, "_")
  return plain === record && record.length <= 256 ? record : `${plain.slice(0, 200)}@${Sha256.of(record).slice(0, 16)}`
}

/** Tags as AWS writes them. */
export const tagsOf = (tags: Readonly<Record<string, string>>) =>
  Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))

/** The value of a tag. */
export const tagOf = (
  tags: ReadonlyArray<{ readonly Key?: string | undefined; readonly Value?: string | undefined }> | undefined,
  key: string,
): string | undefined => tags?.find(({ Key }) => Key === key)?.Value
