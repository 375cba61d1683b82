/** Says what an environment's configuration lacks on this machine, and how to mend it. Changes nothing. */
import * as Fs from "node:fs/promises"
import { availableParallelism, totalmem } from "node:os"
import { resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { type RequiredSecret, requiredSecrets } from "../domain/config/required-secrets.ts"
import * as SecretReference from "../domain/config/secret-reference.ts"
import type { Sections } from "../domain/config/sections.ts"
import { formatSize, parseDuration, parseSize } from "../domain/quantity.ts"
import type { Component } from "./config-doctor-database.ts"
import * as Folders from "./config-doctor-folders.ts"
import * as Notifications from "./config-doctor-notifications.ts"
import * as Programs from "./config-doctor-programs.ts"
import * as Reach from "./config-doctor-reach.ts"
import { bad, type Finding, ok } from "./config-finding.ts"
import { migrations as cordonMigrations } from "./cordon-rows-postgres.ts"
import { sharedIn } from "./cordons-configured.ts"
import { attempt } from "./durable-files.ts"
import { postgres as holdsMigrations } from "./holds-tables.ts"
import { migrations as leaseMigrations } from "./lease-rows-postgres.ts"
import { migrations as registryMigrations } from "./model-registry-tables-postgres.ts"
import { Secrets, layer as secretsLayer } from "./secrets.ts"
import * as SettingsFiles from "./settings-files.ts"

/** The registry's tables. */
const registry: Component = {
  component: "model-registry",
  schemas: ["core", "audit"],
  version: registryMigrations.length,
}

/** What keeps versions from being purged, in the registry's database. */
const holds: Component = { component: "holds", schemas: ["core"], version: holdsMigrations.length }

/** What runs of several machines share, in the ledger's database. */
const leases: Component = { component: "leases", schemas: ["core"], version: leaseMigrations.length }

/** What keeps work from starting on all machines that use the database. */
const cordons: Component = { component: "cordons", schemas: ["core"], version: cordonMigrations.length }

/** Where and by what the environment is looked at. */
export interface Options {
  /** What `${env:…}` and programs are looked up in, by default this process's. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** The ledger's tables; they are looked at where the ledger is in the database. */
  readonly ledger?: Component
}

/** What is looked at, and by what. */
interface Place {
  readonly project: string
  readonly configuration: SettingsFiles.Configuration
  /** What is kept in the database. */
  readonly components: ReadonlyArray<Component>
  readonly programs: Programs.Paths
}

/** A secret that was read; or the finding that it is missing, with the file and line that name it. */
const secretOf = Effect.fnUntraced(function* (needed: RequiredSecret, { configuration }: Place) {
  const { key, reference, section, use } = needed
  const path = `${section}.${key}`
  const at = configuration.origins.find((origin) => origin.path === path)?.at
  const named = at === undefined ? path : `${path} in ${at.file}:${at.line}`
  return yield* Effect.flatMap(Secrets, (secrets) => secrets.resolve(reference)).pipe(
    Effect.map(Redacted.value),
    Effect.mapError(({ reason }) =>
      bad(section, "missing", `${key}: ${reference} is not there: ${use}`, `${reason} (${named})`),
    ),
  )
})

const readableByOthers = ({ key, reference, section }: RequiredSecret, { project }: Place) => {
  const source = SecretReference.parse(reference)
  if (source?.kind !== "file") return Effect.succeed<ReadonlyArray<Finding>>([])
  const path = resolve(project, source.path)
  return attempt("look at", path, () => Fs.stat(path)).pipe(
    Effect.map(({ mode }): ReadonlyArray<Finding> =>
      (mode & 0o077) === 0
        ? []
        : [bad(section, "warning", `${key}: other users may read ${path}`, `chmod 600 ${path}`)],
    ),
    Effect.orElseSucceed((): ReadonlyArray<Finding> => []),
  )
}

/** A Redis is asked as one that is used: with its password, over TLS, for its database. */
const redis = Effect.fnUntraced(function* ({ key, reference, section }: RequiredSecret, value: string) {
  const { probe } = yield* Effect.promise(() => import("./redis-connection.ts"))
  const probed = yield* Effect.result(probe(Redacted.make(value)))
  if (Result.isSuccess(probed)) return ok(section, `${key}: ${probed.success} answers`)
  const { fix, isUrl, message } = probed.failure
  const mend = isUrl ? `correct what ${reference} holds (messaging.url)` : fix
  return bad(section, isUrl ? "error" : "unavailable", `${key}: ${message}`, mend)
})

const database = Effect.fnUntraced(function* ({ components, configuration, programs }: Place) {
  const Database = yield* Effect.promise(() => import("./config-doctor-database.ts"))
  const { findings, major } = yield* Database.look(configuration.sections.database, components)
  return [...findings, ...(yield* Programs.postgres(programs, major))]
})

/** What a secret is for, looked at with it. A bucket is looked at with the others. */
const used = Effect.fnUntraced(function* (needed: RequiredSecret, value: string, place: Place) {
  const { key, reference, section } = needed
  const { notifications } = place.configuration.sections
  const given = { key, reference, value, millis: parseDuration(notifications.timeout) ?? 5_000 }
  if (section === "database") return yield* database(place)
  if (section === "messaging") return [yield* redis(needed, value), Programs.redis(place.programs)]
  if (section === "notifications" && key.startsWith("slack.")) return [yield* Notifications.slack(given)]
  if (section === "notifications") return [yield* Notifications.pagerDuty(given, notifications.pagerduty.url)]
  return section === "storage" ? [] : [ok(section, `${key}: ${reference} is there`)]
})

const secret = Effect.fnUntraced(function* (needed: RequiredSecret, place: Place) {
  const found = yield* Effect.result(secretOf(needed, place))
  if (Result.isFailure(found)) return [found.failure]
  return [...(yield* used(needed, found.success, place)), ...(yield* readableByOthers(needed, place))]
})

/** The buckets that the configuration names; that of a secret only where the secret is there. */
const buckets = Effect.fnUntraced(function* (place: Place) {
  const { sections } = place.configuration
  const { offsite, s3 = {} } = sections.storage
  if (offsite === undefined) return []
  const needed = requiredSecrets(sections).find(({ section }) => section === "storage")
  const location = needed === undefined ? undefined : yield* Effect.option(secretOf(needed, place))
  const Buckets = yield* Effect.promise(() => import("./config-doctor-buckets.ts"))
  return yield* Effect.scoped(
    Buckets.look(s3, [
      ...(location?._tag === "Some"
        ? [{ key: "offsite.bucket" as const, location: location.value, correct: offsite.bucket }]
        : []),
      {
        key: "offsite.worm_location" as const,
        location: offsite.worm_location,
        correct: "storage.offsite.worm_location",
      },
    ]),
  )
})

/** Exporters lose nothing while the other side is away: it is only worth a warning. */
const exporters = ({ exporters: { exporters, timeout } }: Sections) =>
  Effect.forEach(
    exporters.flatMap((each) => ("url" in each ? [each] : [])),
    ({ name, url }) =>
      Reach.look({
        section: "exporters",
        key: name,
        url: new URL(url),
        millis: parseDuration(timeout) ?? 5_000,
        untried: "nothing was sent",
        correct: `the url of ${name}`,
      }).pipe(Effect.map((finding): Finding => (finding.level === "ok" ? finding : { ...finding, level: "warning" }))),
    { concurrency: "unbounded" },
  )

const machine = ({ resources }: Sections): ReadonlyArray<Finding> => {
  const { cpu, memory } = resources.machine
  const found: Array<Finding> = []
  if (cpu !== "auto" && cpu > availableParallelism()) {
    const what = `machine.cpu is ${cpu}, this machine has ${availableParallelism()} cores`
    found.push(bad("resources", "warning", what, "write auto, or what the machine has"))
  }
  const bytes = memory === "auto" ? 0 : (parseSize(memory) ?? 0)
  if (bytes > totalmem()) {
    const what = `machine.memory is ${memory}, this machine has ${formatSize(totalmem())}`
    found.push(bad("resources", "warning", what, "write auto, or what the machine has"))
  }
  return found.length === 0 ? [ok("resources", "the machine has what tasks are given")] : found
}

const strangers = ({ cost_table, universe }: Sections): ReadonlyArray<Finding> => {
  const traded = new Set(universe.pairs.flatMap(({ leg_A, leg_B }) => [leg_A.canonical_symbol, leg_B.canonical_symbol]))
  return Object.keys(cost_table.symbols)
    .filter((symbol) => !traded.has(symbol))
    .map((symbol) =>
      bad(
        "cost_table",
        "warning",
        `symbols.${symbol} is in no pair of the universe`,
        `correct the symbol, or remove it`,
      ),
    )
}

const unloaded = (loaded: Effect.Error<ReturnType<typeof SettingsFiles.load>>): ReadonlyArray<Finding> =>
  loaded.problems.map((problem) =>
    bad(
      SettingsFiles.sectionNames.find((name) => problem.file.endsWith(`/${name}.yaml`)) ?? "configuration",
      "error",
      [problem.path, problem.message].filter((part) => part !== "").join(" "),
      `${problem.suggestion === undefined ? "correct" : `write ${problem.suggestion} in`} ${problem.file}:${problem.line}:${problem.column}`,
    ),
  )

/** All that is looked at, at the same time; secrets that were read are in no finding. */
const examine = Effect.fnUntraced(function* (place: Place) {
  const { sections } = place.configuration
  const secrets = yield* Secrets
  const found = yield* Effect.all(
    [
      Folders.look(place.project, sections),
      Effect.forEach(requiredSecrets(sections), (needed) => secret(needed, place), { concurrency: "unbounded" }),
      buckets(place),
      exporters(sections),
    ],
    { concurrency: "unbounded" },
  )
  return [...found.flat(2), ...machine(sections), ...strangers(sections)].map((finding): Finding => ({
    ...finding,
    what: secrets.redact(finding.what),
    fix: secrets.redact(finding.fix),
  }))
})

/**
 * Loads an environment's configuration and looks at what it needs: folders, secrets by name, and servers by connections
 * that only read. What would have to be changed to be known is said not to be tried.
 */
export const diagnose = Effect.fn("ConfigDoctor.diagnose")(function* (
  project: string,
  env: string,
  options: Options = {},
): Effect.fn.Return<ReadonlyArray<Finding>> {
  const loaded = yield* Effect.result(SettingsFiles.load(project, env))
  if (Result.isFailure(loaded)) return unloaded(loaded.failure)
  const { environment, ledger } = options
  const configuration = loaded.success
  const { database, ledger: books } = configuration.sections
  const components = [
    ...(database.backend === "postgres" ? [registry, holds] : []),
    ...(books.store === "postgres" && ledger !== undefined ? [ledger, leases] : []),
    ...(sharedIn(configuration.sections) === undefined ? [] : [cordons]),
  ]
  const programs = Programs.machine((environment ?? process.env).PATH)
  const secrets = secretsLayer({ project, ...(environment === undefined ? {} : { environment }) })
  return [
    ok("configuration", `the ${SettingsFiles.sectionNames.length} sections of ${configuration.env} load`),
    ...(yield* examine({ project, configuration, components, programs }).pipe(Effect.provide(secrets))),
  ]
})
