import * as Effect from "effect/Effect"
import { version } from "../../../package.json"
import { Collected } from "../../../src/domain/collected.ts"
import { taskType } from "../../../src/authoring/task-type.ts"
import * as Capture from "../../../src/services/evacuation/captures/capturing.ts"
import { type IncidentFolder, Incidents, readLines } from "../../../src/services/evacuation/incident/incidents.ts"
import * as Inventory from "../../../src/services/evacuation/sources/inventory.ts"
import * as Seal from "../../../src/services/evacuation/incident/seal.ts"
import * as Tar from "../../../src/services/evacuation/bundle/tar.ts"
import { Settings } from "../../../src/services/settings.ts"
import { count, Input, Output } from "../collected-counts.ts"

/** How the collectors of this step ended in an earlier call. */
const earlier = Effect.fnUntraced(function* ({ path }: IncidentFolder) {
  const { collectors } = (yield* Settings).sections.evacuation
  const own = new Set(
    collectors.flatMap((each) => (each.kind === "files" || each.when === "durable" ? [each.name] : [])),
  )
  const endings = yield* Effect.orElseSucceed(readLines(path, "collected.ndjson", Collected), () => [])
  return [...new Map(endings.map((each) => [each.collector, each])).values()].filter(({ collector }) =>
    own.has(collector),
  )
})

/**
 * Takes the evidence that stays when everything has stopped: captures of what is installed and recorded, the list of the
 * files that are to be pushed, and the archive of the captures. Doing it again takes only what is missing.
 */
export default taskType({
  type: "evacuate/collect",
  version: 1,
  description: "Takes the evidence of an incident that stays, and lists the files that are to be pushed",
  input: Input,
  output: Output,
  errors: { IncidentMissing: "there is no such incident on this machine" },
  effects: "idempotent",
  config: ["evacuation"],
  dryRun: () =>
    Effect.map(Settings, ({ sections }) => {
      const names = sections.evacuation.collectors.flatMap((each) =>
        each.kind === "files" || each.when === "durable" ? [each.name] : [],
      )
      return `would take ${names.join(", ") || "nothing"}`
    }),
  run: ({ incident }) =>
    Effect.gen(function* () {
      const folder = yield* (yield* Incidents).find(incident)
      if (yield* Seal.isSet(folder)) return count(yield* earlier(folder), [])
      const captures = yield* Capture.take(folder, "durable", version)
      const problems = [...captures.problems]
      const noted = (what: string) => (error: { readonly message: string }) =>
        Effect.sync(() => void problems.push(`${what}: ${error.message}`))
      const files = yield* Inventory.take(folder).pipe(
        Effect.catch((error) => Effect.as(noted("the list of files")(error), [])),
      )
      yield* Tar.pack(folder).pipe(Effect.catch(noted("the archive of the captures")))
      return count([...captures.outcomes, ...files], problems)
    }),
})
