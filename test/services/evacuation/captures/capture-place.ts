import * as Fs from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CanonicalJson from "../../../../src/domain/canonical-json.ts"
import type { DatabaseSection } from "../../../../src/domain/config/database.ts"
import type { Collector, MachineFact, RedactionRule } from "../../../../src/domain/config/evacuation.ts"
import type { Sections } from "../../../../src/domain/config/sections.ts"
import type { IncidentCall } from "../../../../src/domain/incident.ts"
import * as Capture from "../../../../src/services/evacuation/captures/capturing.ts"
import * as Secrets from "../../../../src/services/secrets.ts"
import { Settings } from "../../../../src/services/settings.ts"
import * as Place from "../destination/place.ts"

/** What a test's evacuation has of its own. */
export interface Own {
  readonly collectors: ReadonlyArray<Collector>
  readonly when?: "volatile" | "durable"
  readonly call?: IncidentCall
  readonly redact?: ReadonlyArray<RedactionRule>
  /** Secrets that the configuration refers to, by the variable's name. */
  readonly secrets?: Readonly<Record<string, string>>
  readonly database?: Pick<DatabaseSection, "backend" | "dsn">
  /** Where the project's ledger lies: in files, unless it is said. */
  readonly ledger?: "postgres"
}

/** A machine collector of a fact, as far as a test says nothing else. */
export const machine = (what: MachineFact, more: { readonly value?: number; readonly max_bytes?: string } = {}) =>
  ({ name: what, kind: "machine", what, when: "volatile", value: 1, ...more }) satisfies Collector

/** A collector of what a program says. */
export const command = (
  name: string,
  argv: ReadonlyArray<string>,
  more: { readonly value?: number; readonly time?: string; readonly max_bytes?: string } = {},
) => ({ name, kind: "command", argv, when: "volatile", value: 1, ...more }) satisfies Collector

/** What the services of captures answer with for a project. */
export const services = (project: string, own: Own) =>
  Layer.mergeAll(
    Place.services(project, Place.section()),
    Secrets.layer({ project, environment: own.secrets ?? {} }),
    Layer.succeed(Settings, {
      env: "dev",
      sections: {
        evacuation: { collectors: own.collectors, redact: own.redact ?? [], sealed: ".dandori/sealed" },
        database: {
          backend: "embedded",
          dsn: "${env:NO_DSN}",
          pool: { min: 0, max: 2 },
          timeout: "5s",
          statement_timeout: "5s",
          search_path: [],
          ...own.database,
        },
        ledger: { store: own.ledger ?? "files", durability: "fsync", flushInterval: "1s" },
        notifications: Object.keys(own.secrets ?? {}).map((name) => `\${env:${name}}`),
      } as unknown as Sections,
      digest: () => CanonicalJson.digest({}),
    }),
  )

/** Takes captures in a project's incident; answers with their outcomes and texts too. */
export const take = (project: string, own: Own) =>
  Effect.gen(function* () {
    const folder = yield* Place.incident(own.call)
    const { outcomes, problems } = yield* Capture.take(folder, own.when ?? "volatile", "1.2.3")
    return {
      path: folder.path,
      outcomes,
      problems,
      /** What a collector captured. */
      textOf: (collector: string) => {
        const path = outcomes.find((outcome) => outcome.collector === collector)?.path
        return path === undefined ? undefined : Fs.readFileSync(join(folder.path, path), "utf8")
      },
    }
  }).pipe(Effect.provide(services(project, own)))
