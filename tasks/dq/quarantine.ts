import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import * as Durable from "../../src/services/durable-files.ts"
import * as Marks from "../../src/services/quarantine-marks.ts"
import type { Finding } from "./judge.ts"

/** A file that was judged. */
interface Judged {
  readonly name: string
  readonly sha256: string
  readonly first?: string
  readonly last?: string
}

const textOf = (file: Judged, against: ReadonlyArray<Finding>, policy: string) => {
  const mark = {
    who: Marks.gateName,
    file: file.name,
    sha256: file.sha256,
    range: { first: file.first ?? null, last: file.last ?? null },
    policy,
    reasons: against
      .filter(({ files }) => files.includes(file.name))
      .map(({ result }) => ({
        check: result.name,
        observed: result.observed,
        threshold: result.threshold,
        failing: result.failing,
        sample: result.sample.filter((row) => row.file === file.name),
      })),
  }
  return `${CanonicalJson.encode(mark)}\n`
}

/** True when a mark that stands is not this judgement's to replace: a person's, or another policy's on the same bytes. */
const stays = (mark: Marks.Mark, { sha256 }: Judged, policy: string) =>
  Marks.holds(mark, sha256) && !(mark.who === Marks.gateName && mark.policy === policy)

/**
 * Leaves the mark of a file that failed; `against` are the findings that fail the data. The same findings give the same
 * bytes: no time, no run. A mark that holds the same bytes back already, by a person or under another policy, stays.
 */
export const write = Effect.fnUntraced(function* (
  path: string,
  file: Judged,
  against: ReadonlyArray<Finding>,
  policy: string,
) {
  const mark = yield* Marks.read(path)
  if (Option.isSome(mark) && stays(mark.value, file, policy)) return
  yield* Durable.writeFileDurably(path, textOf(file, against, policy))
})

/** Removes the mark that a gate left under the same policy. What other expectations found is not undone by these. */
export const lift = Effect.fnUntraced(function* (path: string, policy: string) {
  const mark = yield* Marks.read(path)
  if (Option.isNone(mark) || mark.value.who !== Marks.gateName || mark.value.policy !== policy) return
  yield* Durable.removeFileDurably(path)
})
