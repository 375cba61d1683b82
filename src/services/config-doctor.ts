/** Says what an environment's configuration lacks on this machine, and how to mend it. Changes nothing. */
import { constants } from "node:fs"
import * as Fs from "node:fs/promises"
import { connect } from "node:net"
import { availableParallelism, totalmem } from "node:os"
import { dirname, isAbsolute, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { type RequiredSecret, requiredSecrets } from "../domain/config/required-secrets.ts"
import * as SecretReference from "../domain/config/secret-reference.ts"
import type { Sections } from "../domain/config/sections.ts"
import { roots } from "../domain/config/storage.ts"
import { formatSize, parseDuration, parseSize } from "../domain/quantity.ts"
import { attempt } from "./durable-files.ts"
import * as Secrets from "./secrets.ts"
import * as SettingsFiles from "./settings-files.ts"

/** `missing`: something that this environment needs is not there. `error`: something is there and is wrong. */
export type Level = "ok" | "warning" | "missing" | "error"

/** One thing that was looked at. `fix` says what to do; it is empty when nothing is to be done. */
export interface Finding {
  /** A section's name, or `configuration` where it belongs to none. */
  readonly section: string
  readonly level: Level
  readonly what: string
  readonly fix: string
}

/** Nothing is to be done. */
export const ok = (section: string, what: string): Finding => ({ section, level: "ok", what, fix: "" })

const writable = (path: string) => attempt("write to", path, () => Fs.access(path, constants.W_OK | constants.X_OK))

/** The nearest folder at a path or above it that exists. */
export const existing = (path: string): Effect.Effect<string> =>
  attempt("look at", path, () => Fs.stat(path)).pipe(
    Effect.as(path),
    Effect.catch(() => (path === dirname(path) ? Effect.succeed(path) : existing(dirname(path)))),
  )

/** A relative root is made when it is needed; an absolute one may be a volume that is not mounted, so it has to exist. */
export const root = Effect.fnUntraced(function* (project: string, key: string, configured: string) {
  const path = resolve(project, configured)
  const found = yield* Effect.result(attempt("look at", path, () => Fs.stat(path)))
  if (Result.isFailure(found)) {
    if (found.failure.code !== "ENOENT") {
      return {
        section: "storage",
        level: "error",
        what: `${key}: ${found.failure.message}`,
        fix: `make ${path} a folder`,
      } as const
    }
    if (isAbsolute(configured)) {
      return {
        section: "storage",
        level: "missing",
        what: `${key}: the folder ${path} does not exist`,
        fix: `mount its volume, or make the folder: mkdir -p ${path}`,
      } as const
    }
  } else if (!found.success.isDirectory()) {
    return {
      section: "storage",
      level: "error",
      what: `${key}: ${path} is not a folder`,
      fix: `move the file away, or change ${key}`,
    } as const
  }
  const folder = yield* existing(path)
  const access = yield* Effect.result(writable(folder))
  if (Result.isFailure(access)) {
    return {
      section: "storage",
      level: "error",
      what: `${key}: ${access.failure.message}`,
      fix: `give this user the right to write to ${folder}`,
    } as const
  }
  return ok("storage", `${key}: ${path} ${folder === path ? "is writable" : "will be made when it is needed"}`)
})

/** Opens and closes a TCP connection; the reason when it does not open in time. */
const reach = (host: string, port: number, millis: number): Effect.Effect<string | undefined> =>
  Effect.callback<string | undefined>((resume) => {
    const socket = connect({ host, port })
    socket.once("connect", () => resume(Effect.undefined))
    socket.once("error", (error) => resume(Effect.succeed(error.message)))
    return Effect.sync(() => socket.destroy())
  }).pipe(Effect.timeoutOrElse({ duration: millis, orElse: () => Effect.succeed(`no answer within ${millis} ms`) }))

const schemes: Record<string, { readonly protocols: ReadonlyArray<string>; readonly port: number }> = {
  "database.dsn": { protocols: ["postgres:", "postgresql:"], port: 5432 },
  "messaging.url": { protocols: ["redis:", "rediss:"], port: 6379 },
  "notifications.slack.webhook": { protocols: ["https:"], port: 443 },
  "storage.offsite.bucket": { protocols: ["s3:"], port: 0 },
}

/** A Redis is asked as one that is used: with its password, over TLS, for its database. */
const redis = Effect.fnUntraced(function* ({ key, section }: RequiredSecret, url: Redacted.Redacted<string>) {
  const { probe } = yield* Effect.promise(() => import("./redis-connection.ts"))
  const probed = yield* Effect.result(probe(url))
  if (Result.isSuccess(probed)) return ok(section, `${key}: ${probed.success} answers`)
  const { fix, message } = probed.failure
  return { section, level: "error", what: `${key}: ${message}`, fix } as const
})

const reachable = Effect.fnUntraced(function* (needed: RequiredSecret, value: string, millis: number) {
  const { key, reference, section } = needed
  const scheme = schemes[`${section}.${key}`]
  if (scheme === undefined) return ok(section, `${key}: ${reference} is there`)
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || !scheme.protocols.includes(url.protocol) || url.hostname === "") {
    return {
      section,
      level: "error",
      what: `${key}: what ${reference} holds is not a URL like ${scheme.protocols[0]}//host`,
      fix: `write the whole URL into ${reference}`,
    } as const
  }
  if (scheme.port === 0) return ok(section, `${key}: ${reference} is there`)
  if (section === "messaging") return yield* redis(needed, Redacted.make(value))
  const port = url.port === "" ? scheme.port : Number(url.port)
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1")
  const refused = yield* reach(host, port, millis)
  if (refused === undefined) return ok(section, `${key}: ${host}:${port} accepts connections`)
  return {
    section,
    level: "error",
    what: `${key}: ${host}:${port} cannot be reached: ${refused}`,
    fix: `start the server, open the way to it, or correct ${reference}`,
  } as const
})

const readableByOthers = (project: string, { key, reference, section }: RequiredSecret) => {
  const source = SecretReference.parse(reference)
  if (source?.kind !== "file") return Effect.succeed<ReadonlyArray<Finding>>([])
  const path = resolve(project, source.path)
  return attempt("look at", path, () => Fs.stat(path)).pipe(
    Effect.map(({ mode }): ReadonlyArray<Finding> =>
      (mode & 0o077) === 0
        ? []
        : [{ section, level: "warning", what: `${key}: other users may read ${path}`, fix: `chmod 600 ${path}` }],
    ),
    Effect.orElseSucceed((): ReadonlyArray<Finding> => []),
  )
}

const secret = Effect.fnUntraced(function* (project: string, needed: RequiredSecret, millis: number) {
  const secrets = yield* Secrets.Secrets
  const { key, reference, section, use } = needed
  const found = yield* Effect.result(secrets.resolve(reference))
  if (Result.isFailure(found)) {
    const missing: Finding = {
      section,
      level: "missing",
      what: `${key}: ${reference} is not there: ${use}`,
      fix: found.failure.reason,
    }
    return [missing]
  }
  const value = Redacted.value(found.success)
  return [yield* reachable(needed, value, millis), ...(yield* readableByOthers(project, needed))]
})

const machine = ({ resources }: Sections): ReadonlyArray<Finding> => {
  const { cpu, memory } = resources.machine
  const found: Array<Finding> = []
  if (cpu !== "auto" && cpu > availableParallelism()) {
    const what = `machine.cpu is ${cpu}, this machine has ${availableParallelism()} cores`
    found.push({ section: "resources", level: "warning", what, fix: "write auto, or what the machine has" })
  }
  const bytes = memory === "auto" ? 0 : (parseSize(memory) ?? 0)
  if (bytes > totalmem()) {
    const what = `machine.memory is ${memory}, this machine has ${formatSize(totalmem())}`
    found.push({ section: "resources", level: "warning", what, fix: "write auto, or what the machine has" })
  }
  return found.length === 0 ? [ok("resources", "the machine has what tasks are given")] : found
}

const strangers = ({ cost_table, universe }: Sections): ReadonlyArray<Finding> => {
  const traded = new Set(universe.pairs.flatMap(({ leg_A, leg_B }) => [leg_A.canonical_symbol, leg_B.canonical_symbol]))
  return Object.keys(cost_table.symbols)
    .filter((symbol) => !traded.has(symbol))
    .map((symbol) => ({
      section: "cost_table",
      level: "warning",
      what: `symbols.${symbol} is in no pair of the universe`,
      fix: `correct the symbol, or remove it`,
    }))
}

/**
 * Loads an environment's configuration and looks at what it needs: folders, secrets by name, servers by a TCP connection.
 * `environment` is what `${env:…}` is looked up in, by default this process's.
 */
export const diagnose = Effect.fn("ConfigDoctor.diagnose")(function* (
  project: string,
  env: string,
  environment?: Readonly<Record<string, string | undefined>>,
): Effect.fn.Return<ReadonlyArray<Finding>> {
  const loaded = yield* Effect.result(SettingsFiles.load(project, env))
  if (Result.isFailure(loaded)) {
    return loaded.failure.problems.map((problem) => ({
      section: SettingsFiles.sectionNames.find((name) => problem.file.endsWith(`/${name}.yaml`)) ?? "configuration",
      level: "error",
      what: [problem.path, problem.message].filter((part) => part !== "").join(" "),
      fix: `${problem.suggestion === undefined ? "correct" : `write ${problem.suggestion} in`} ${problem.file}:${problem.line}:${problem.column}`,
    }))
  }
  const { sections } = loaded.success
  const millis = parseDuration(sections.database.timeout) ?? 5_000
  const secretFindings = Effect.forEach(requiredSecrets(sections), (needed) => secret(project, needed, millis), {
    concurrency: "unbounded",
  }).pipe(Effect.provide(Secrets.layer({ project, ...(environment === undefined ? {} : { environment }) })))
  return [
    ok("configuration", `the ${SettingsFiles.sectionNames.length} sections of ${loaded.success.env} load`),
    ...(yield* Effect.forEach(roots(sections.storage), ([key, path]) => root(project, key, path))),
    ...(yield* secretFindings).flat(),
    ...machine(sections),
    ...strangers(sections),
  ]
})
