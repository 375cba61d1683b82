import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import * as Durable from "../../src/services/durable-files.ts"
import * as InputFiles from "../../src/services/input-files.ts"
import type { Finding } from "./judge.ts"

/** Who writes and lifts quarantines here. A quarantine by anybody else stays until they lift it. */
export const who = "dandori task type dq"

const Mark = Schema.fromJsonString(Schema.Struct({ who: Schema.String }))

/** What stands at a quarantine's path: nothing, our own mark, or somebody else's (a mark that cannot be read is theirs). */
export const markAt = Effect.fnUntraced(function* (path: string) {
  if (!(yield* InputFiles.exists(path))) return "none" as const
  const text = yield* InputFiles.readText(path)
  return yield* Schema.decodeUnknownEffect(Mark)(text).pipe(
    Effect.map((mark) => (mark.who === who ? ("own" as const) : ("foreign" as const))),
    Effect.orElseSucceed(() => "foreign" as const),
  )
})

/** Writes the mark of a file that failed; `against` are the findings that fail the data. The same findings give the same bytes: no time, no run. */
export const write = (
  path: string,
  file: { readonly name: string; readonly sha256: string; readonly first?: string; readonly last?: string },
  against: ReadonlyArray<Finding>,
  policy: string,
) => {
  const mark = {
    who,
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
  return Durable.writeFileDurably(path, `${CanonicalJson.encode(mark)}\n`)
}

/** Removes our own mark. */
export const lift = (path: string) => Durable.removeFileDurably(path)
