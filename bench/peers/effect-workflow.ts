import { join } from "node:path"
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import * as ClusterWorkflowEngine from "effect/cluster/ClusterWorkflowEngine"
import * as SingleRunner from "effect/cluster/SingleRunner"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"
import * as Activity from "effect/workflow/Activity"
import * as Workflow from "effect/workflow/Workflow"
import * as Sqlite from "../../src/services/sqlite.ts"
import type { Start } from "./engine.ts"

const Graph = Workflow.make("Graph", {
  payload: { id: Schema.String, steps: Schema.Int, width: Schema.Int },
  idempotencyKey: ({ id }) => id,
})

const step = (n: number) => Activity.make({ name: `step ${n}`, execute: Effect.void })

const GraphLive = Graph.toLayer(({ steps, width }) =>
  Effect.forEach(
    Array.from({ length: steps }, (_, n) => n),
    step,
    { concurrency: width, discard: true },
  ),
)

/** effect/workflow on its single runner. */
export const start: Start = async (folder) => {
  const runtime = ManagedRuntime.make(
    GraphLive.pipe(
      Layer.provideMerge(ClusterWorkflowEngine.layer),
      Layer.provideMerge(SingleRunner.layer()),
      Layer.provide([Sqlite.layer({ path: join(folder, "workflow.db") }), NodeCrypto.layerDigest]),
    ),
  )
  const run = (steps: number, width: number) =>
    runtime.runPromise(Graph.execute({ id: Bun.randomUUIDv7(), steps, width }))
  return {
    record: "single runner on SQLite, write-ahead log, synchronous FULL",
    inARow: (steps) => run(steps, 1),
    fanOut: run,
    close: () => runtime.dispose(),
  }
}
