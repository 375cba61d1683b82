import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Postgres from "../../src/services/postgres.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as LedgerPostgres from "../../src/ledger/ledger-postgres.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import * as Databases from "../support/servers/databases.ts"
import * as Project from "./fixtures/project.ts"

export const run = Project.runId(1)
export const stream = StreamName.ofRun(run)
const author = { source: "dandori://dev/test", authid: "tester", authtype: "user" } as const

/** The ledger as a process of its own opens it. */
export const ledgerOf = (url: string, changes: Partial<Postgres.PostgresOptions> = {}) =>
  Effect.map(
    Layer.build(
      Layer.fresh(
        LedgerPostgres.layer({ database: { ...Databases.options(url), ...changes }, author, flushIntervalMillis: 5 }),
      ),
    ),
    (services) => Context.get(services, Ledger),
  )
