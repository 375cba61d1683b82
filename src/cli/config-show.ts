import * as Effect from "effect/Effect"
import { didYouMean } from "../domain/suggest.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as Output from "./output.ts"
import { table } from "./plain-text.ts"
import * as Readers from "./project-readers.ts"
import { root } from "./root.ts"

const chosen = (
  section: string | undefined,
): Effect.Effect<ReadonlyArray<SettingsFiles.SectionName>, Output.UsageError> => {
  if (section === undefined) return Effect.succeed(SettingsFiles.sectionNames)
  const found = SettingsFiles.sectionNames.find((name) => name === section)
  if (found !== undefined) return Effect.succeed([found])
  const meant = didYouMean(section, SettingsFiles.sectionNames)
  const reason = `There is no section "${section}".${meant} Sections: ${SettingsFiles.sectionNames.join(", ")}.`
  return Effect.fail(new Output.UsageError({ reason }))
}

/** Shows an environment's configuration, or one section of it; `origin` says where each value comes from. */
export const showConfiguration = Effect.fnUntraced(function* (section: string | undefined, origin: boolean) {
  const { json } = yield* root
  const names = yield* chosen(section)
  const { project, env } = yield* Readers.find
  const configuration = yield* SettingsFiles.load(project, env)
  const sections = Object.fromEntries(names.map((name) => [name, configuration.sections[name]]))
  const origins = configuration.origins.filter(({ path }) =>
    names.some((name) => path === name || path.startsWith(`${name}.`) || path.startsWith(`${name}[`)),
  )
  const { digest } = configuration
  if (json) {
    const values = origin ? { origins: origins.map(({ path, value, at }) => ({ path, value, ...at })) } : { sections }
    return yield* Output.json({ v: 1, kind: "config-show", env: configuration.env, digest, ...values })
  }
  if (origin) {
    const rows = origins.map(({ path, value, at }) => [path, JSON.stringify(value), `${at.file}:${at.line}`])
    return yield* Output.data(table(rows).join("\n"))
  }
  const Yaml = yield* Effect.promise(() => import("yaml"))
  yield* Output.data(Yaml.stringify(section === undefined ? sections : sections[section], { lineWidth: 120 }))
})
