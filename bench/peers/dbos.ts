import { DBOS } from "@dbos-inc/dbos-sdk"
import type { Start } from "./engine.ts"
import * as Postgres from "../../test/support/servers/postgres.ts"

const step = (n: number) => DBOS.runStep(async () => {}, { name: `step ${n}` })

const graph = DBOS.registerWorkflow(
  async (steps: number, width: number) => {
    for (let n = 0; n < steps; n += width) {
      await Promise.all(Array.from({ length: Math.min(width, steps - n) }, (_, i) => step(n + i)))
    }
  },
  { name: "graph" },
)

/** DBOS: one workflow, its steps started in groups, as its rule of a fixed order wants. */
export const start: Start = async (folder) => {
  const server = await Postgres.start(folder)
  DBOS.setConfig({ name: "bench", systemDatabaseUrl: server.url, runAdminServer: false, logLevel: "error" })
  await DBOS.launch()
  return {
    record: `PostgreSQL ${server.version}, fsync and synchronous_commit on; one workflow, whose steps start in groups`,
    inARow: (steps) => graph(steps, 1),
    fanOut: graph,
    close: async () => {
      await DBOS.shutdown()
      await server.stop()
    },
  }
}
