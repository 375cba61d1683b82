import * as Effect from "effect/Effect"
import { didYouMean } from "../domain/suggest.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as WorkspaceFiles from "../services/workspace-files.ts"
import * as ExitCode from "./exit-code.ts"
import * as ExportPass from "./export-pass.ts"
import * as Output from "./output.ts"
import * as Readers from "./project-readers.ts"
import * as RunChoice from "./run-choice.ts"

/** Sends what is new in the ledger to the exporters of this environment, or to one of them, which may leave out a run. */
export const sendLedger = Effect.fnUntraced(function* (name: string | undefined, skipped: string | undefined) {
  const { env, flags, home, project } = yield* Readers.find
  const configuration = yield* SettingsFiles.load(project, env)
  const all = configuration.sections.exporters.exporters
  const names = all.map((exporter) => exporter.name)
  if (name !== undefined && !names.includes(name)) {
    const known = names.length === 0 ? "none" : names.join(", ")
    const reason = `There is no exporter "${name}".${didYouMean(name, names)} Exporters of ${env}: ${known}.`
    return yield* new Output.UsageError({ reason })
  }
  const chosen = all.filter((exporter) => name === undefined || exporter.name === name)
  if (chosen.length > 0) yield* WorkspaceFiles.makeHome(home)
  const place = { project, home, configuration }
  if (skipped !== undefined && name === undefined) {
    return yield* new Output.UsageError({ reason: "--skip needs --exporter NAME: the one that leaves the run out" })
  }
  const skip =
    skipped && (yield* RunChoice.choose(skipped).pipe(Effect.provide(Readers.ledger({ project, home, env }))))
  const delivered = chosen.length === 0 ? [] : yield* ExportPass.send(place, chosen, skip === undefined ? {} : { skip })
  if (flags.json) yield* Output.json({ v: 1, kind: "ledger-send", exporters: delivered })
  else if (chosen.length === 0) {
    yield* Output.data(`No exporter is configured for ${env}. They stand in configs/base/exporters.yaml.`)
  } else yield* Output.data(delivered.map(({ exporter, sent }) => `${exporter}  ${sent} sent`).join("\n"))
  yield* Effect.forEach(delivered, ExportPass.note)
  const { config, ok, unavailable } = ExitCode.exitCodes
  const behind = delivered.some(({ problem }) => problem !== undefined) ? unavailable : ok
  yield* Output.exitWith(delivered.some(({ unconfigured }) => unconfigured === true) ? config : behind)
})
