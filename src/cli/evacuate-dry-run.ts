import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { formatSize } from "../domain/quantity.ts"
import * as Forecast from "../services/evacuation/forecast.ts"
import * as Incidents from "../services/evacuation/incident/incidents.ts"
import * as SelfTest from "../services/evacuation/self-test.ts"
import * as Secrets from "../services/secrets.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as WorkspaceFiles from "../services/workspace-files.ts"
import * as EvacuatePlace from "./evacuate-place.ts"
import * as Output from "./output.ts"
import { count, plain } from "./plain-text.ts"

const short = (command: string) => (command.length > 100 ? `${command.slice(0, 99)}…` : command)

const stopLines = ({ found, near, target }: Forecast.StopForecast): ReadonlyArray<string> => [
  ...found.map(({ command, pid, reason }) => `  stop    ${target}: ${pid} ${plain(short(command))}: ${plain(reason)}`),
  ...(found.length === 0 ? [`  -       ${target}: nothing that runs here matches`] : []),
  ...near.map(({ command, pid, reason }) => `  leave   ${target}: ${pid} ${plain(short(command))}: ${plain(reason)}`),
]

const collectorLines = ({ collected }: Forecast.Forecast): ReadonlyArray<string> =>
  collected.map(({ bytes, collector, files, outcome, reason }) =>
    outcome === "ok"
      ? `  take    ${collector}: ${count(files, "file", "files")}, ${formatSize(bytes)}`
      : `  ${outcome === "skipped" ? "-     " : "fails "}  ${collector}: ${plain(reason ?? "")}`,
  )

const refusalLines = ({ notTaken }: Forecast.Forecast): ReadonlyArray<string> => {
  const reasons = Map.groupBy(notTaken, ({ collector, reason }) => `${collector}: ${reason}`)
  return [...reasons].map(([what, all]) => `  refuse  ${plain(what)}: ${count(all.length, "file", "files")}`)
}

/** Says what an evacuation would stop, take and send, and where to; changes nothing. */
export const dryRun = Effect.fn("evacuate --dry-run")(function* (
  incident: string | undefined,
  destination: string | undefined,
) {
  const { configuration, degraded, flags, home, project, projectHome } = yield* EvacuatePlace.find(incident, false)
  const services = Layer.mergeAll(
    SettingsFiles.layerOf(configuration),
    WorkspaceFiles.layer({ project, home, extraRoots: [], allowUserPaths: true }),
    Incidents.layer({ root: join(home, "incidents"), projectHome }),
    Secrets.layer({ project }),
  )
  const { evacuation, storage } = configuration.sections
  const earlier = incident === undefined ? undefined : join(home, "incidents", incident)
  const { destinations, forecast } = yield* Effect.all({
    forecast: Forecast.look(earlier),
    destinations: SelfTest.destinations({ project, evacuation, storage, destination }),
  }).pipe(Effect.provide(services))
  if (flags.json) {
    return yield* Output.json({ v: 1, kind: "evacuation-forecast", ...forecast, destinations, degraded, deletes: 0 })
  }
  const taken = forecast.collected.filter(({ outcome }) => outcome === "ok")
  const [files, bytes] = [
    taken.reduce((sum, one) => sum + one.files, 0),
    taken.reduce((sum, one) => sum + one.bytes, 0),
  ]
  const there = forecast.there === 0 ? "" : `; ${count(forecast.there, "object is", "objects are")} there already`
  yield* Output.data(
    [
      ...degraded.map((text) => `degraded: ${text}`),
      "Would keep new work from starting, then take what goes away when things stop, then",
      ...forecast.stops.flatMap(stopLines),
      ...collectorLines(forecast),
      ...refusalLines(forecast),
      `Would add ${count(files, "file", "files")}, ${formatSize(bytes)}, replace none, remove none${there}. To the first that takes it:`,
      ...destinations.map(
        ({ fix, level, what }) => `  ${level.padEnd(6)}  ${plain(what)}${fix === "" ? "" : ` -> ${fix}`}`,
      ),
    ].join("\n"),
  )
}, Effect.scoped)
