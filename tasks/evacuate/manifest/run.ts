import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Bundle from "../../../src/services/evacuation/bundle/bundle.ts"
import type { Destination } from "../../../src/services/evacuation/destination/destination.ts"
import { putBytes } from "../../../src/services/evacuation/destination/given-bytes.ts"
import { Incidents, type IncidentFolder } from "../../../src/services/evacuation/incident/incidents.ts"
import * as Ladder from "../../../src/services/evacuation/destination/ladder.ts"
import * as Memory from "../../../src/services/memory.ts"
import * as Unwaited from "../../../src/services/evacuation/destination/unwaited.ts"
import type { Input, Output } from "./schema.ts"

/** Most problems that the output names; the manifests and READMEs have all. */
const mostProblems = 20
const mostText = 400
/** How long the destination has for the bundles' own files when the deadline has passed, milliseconds. */
const graceMillis = 1_000

const keyOf = ({ own, prefix }: Bundle.MadeBundle, name = "") =>
  [prefix, own, name].filter((part) => part !== "").join("/")

/** What is missing in a bundle, in words. */
const missing = ({ manifest }: Bundle.MadeBundle): ReadonlyArray<string> => [
  ...manifest.collected
    .filter(({ outcome }) => outcome === "failed")
    .map(({ collector, reason }) => `the collector ${collector} failed: ${reason ?? "it did not say why"}`),
  ...manifest.notTaken
    .filter(({ noBytes }) => noBytes !== true)
    .map(({ reason, source }) => `${source} was not taken: ${reason}`),
]

/** Puts the own files of a bundle, the manifest last; says what could not be put. */
export const push = Effect.fnUntraced(function* (
  destination: Pick<Destination, "put" | "pieceBytes">,
  made: Bundle.MadeBundle,
) {
  for (const [name, bytes] of made.files) {
    const put = yield* Effect.result(putBytes(destination, keyOf(made, name), bytes, made.bundle === "evidence"))
    if (Result.isFailure(put)) return [put.failure.message]
  }
  return []
})

/** Puts the own files of all bundles before the deadline; says what could not be put. */
export const putAll = Effect.fnUntraced(function* (
  { call }: IncidentFolder,
  destination: Pick<Destination, "put" | "pieceBytes" | "location">,
  bundles: ReadonlyArray<Bundle.MadeBundle>,
) {
  const all = Effect.map(
    Effect.forEach(bundles, (made) => push(destination, made)),
    (problems) => problems.flat(),
  )
  if (call.deadline === undefined) return yield* all
  const left = Math.max(call.deadline - (yield* Clock.currentTimeMillis), graceMillis)
  const late = [`${destination.location} did not take the manifests before the deadline`]
  return Option.getOrElse(yield* Unwaited.until(all, Effect.sleep(left)), () => late)
})

/** Makes the bundles of an incident and puts their own files where their objects were pushed. */
export const run = Effect.fn("EvacuateManifest.run")(function* ({ incident }: typeof Input.Type) {
  const folder = yield* (yield* Incidents).find(incident)
  yield* Memory.tidy
  const rung = yield* Effect.result(Ladder.chosen(folder))
  const where = Result.isSuccess(rung) ? { name: rung.success.name, location: rung.success.location } : undefined
  const bundles = yield* Bundle.make(folder, where)
  const kept = yield* Effect.result(Bundle.keep(folder, bundles, where))
  const unkept = Result.isFailure(kept) ? [`no copy is in the incident's folder: ${kept.failure.message}`] : []
  const unput = Result.isFailure(rung) ? [rung.failure.message] : yield* putAll(folder, rung.success, bundles)
  const shown = (name: "evidence" | "snapshot") => {
    const made = bundles.find(({ bundle }) => bundle === name)
    if (made === undefined) return {}
    return { [name]: { root: made.manifest.root, items: made.manifest.items.length, folder: keyOf(made) } }
  }
  return {
    ...(shown("evidence") as Pick<Output, "evidence">),
    ...shown("snapshot"),
    keyid: bundles[0].keyid,
    complete: unput.length === 0 && bundles.every(({ complete }) => complete),
    problems: [...unput, ...unkept, ...bundles.flatMap(missing)]
      .slice(0, mostProblems)
      .map((problem) => problem.slice(0, mostText)),
  } satisfies Output as Output
}, Effect.scoped)
