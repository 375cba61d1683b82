import { PgBoss } from "pg-boss"
import type { Start } from "./engine.ts"
import * as Postgres from "../../test/support/servers/postgres.ts"

const queue = "steps"

/** pg-boss, a queue: jobs are fetched by hand, since its workers look at most twice a second. */
export const start: Start = async (folder) => {
  const server = await Postgres.start(folder)
  const boss = new PgBoss({ connectionString: server.url, supervise: false, schedule: false, max: 16 })
  boss.on("error", (error) => {
    throw error
  })
  await boss.start()
  await boss.createQueue(queue)
  const work = async () => {
    const [job] = await boss.fetch(queue)
    if (job === undefined) return false
    await boss.complete(queue, job.id)
    return true
  }
  return {
    record: `a queue on PostgreSQL ${server.version}, fsync and synchronous_commit on; jobs are sent, fetched and completed by hand`,
    inARow: async (steps) => {
      for (let n = 0; n < steps; n++) {
        await boss.send(queue, { n })
        if (!(await work())) throw new Error("The job that was sent is not there")
      }
    },
    fanOut: async (steps, width) => {
      await boss.insert(
        queue,
        Array.from({ length: steps }, (_, n) => ({ data: { n } })),
      )
      const lane = async () => {
        let done = 0
        while (await work()) done++
        return done
      }
      const done = await Promise.all(Array.from({ length: width }, lane))
      const sum = done.reduce((all, each) => all + each, 0)
      if (sum !== steps) throw new Error(`${sum} of ${steps} jobs were done`)
    },
    close: async () => {
      await boss.stop({ graceful: true, close: true })
      await server.stop()
    },
  }
}
