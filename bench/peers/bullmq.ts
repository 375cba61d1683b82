import { Queue, Worker } from "bullmq"
import * as Redis from "../../test/support/servers/redis.ts"
import type { Start } from "./engine.ts"

/** A queue and the worker of so many lanes that empties it; a step may add the next. */
const lanes = (port: number, width: number) => {
  const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null }
  const queue = new Queue<{ readonly after: number }>(`steps-${width}`, { connection })
  let left = 0
  let end = () => {}
  const worker = new Worker<{ readonly after: number }>(
    queue.name,
    async ({ data: { after } }) => {
      if (after > 0) await queue.add("step", { after: after - 1 })
    },
    { connection, concurrency: width },
  )
  worker.on("completed", () => {
    left--
    if (left === 0) end()
  })
  return {
    /** Adds `first` jobs, each with so many after it, and waits for the end of all. */
    run: async (first: number, after: number) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      left = first * (after + 1)
      end = resolve
      await queue.addBulk(Array.from({ length: first }, () => ({ name: "step", data: { after } })))
      await promise
    },
    close: async () => {
      await worker.close()
      await queue.close()
    },
  }
}

/** BullMQ, a queue: in a row, a step adds the next before it ends. */
export const start: Start = async (folder) => {
  const server = await Redis.start(folder)
  const known = new Map<number, ReturnType<typeof lanes>>()
  const of = (width: number) => {
    const found = known.get(width) ?? lanes(server.port, width)
    known.set(width, found)
    return found
  }
  return {
    record: `a queue on Redis ${server.version}, appendfsync always`,
    inARow: (steps) => of(1).run(1, steps - 1),
    fanOut: (steps, width) => of(width).run(steps, 0),
    close: async () => {
      for (const each of known.values()) await each.close()
      await server.stop()
    },
  }
}
