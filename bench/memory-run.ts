import * as Effect from "effect/Effect"
import type { Event } from "../src/domain/event.ts"
import type { Plan } from "../src/domain/plan.ts"
import { of } from "../src/domain/sha256.ts"
import { evolve } from "../src/engine/evolve.ts"
import * as Execution from "../src/engine/execution.ts"
import * as Prepared from "../src/engine/prepared.ts"
import type { RunRequest } from "../src/engine/run.ts"
import { initial } from "../src/engine/run-state.ts"
import { genesis } from "../src/ledger/sealing.ts"
import * as StreamWriter from "../src/ledger/stream-writer.ts"

/** Runs a plan whose events are sealed as always, but kept in no file. */
export const execute = Effect.fnUntraced(function* (plan: Plan, request: RunRequest) {
  const prepared = yield* Prepared.prepare(plan)
  const run = Bun.randomUUIDv7()
  const writer = StreamWriter.make(run, run, genesis(run), StreamWriter.nowhere(), {
    author: { source: "dandori://dev/bench", authid: "bench", authtype: "user" },
    now: () => Date.now(),
    uuid: () => Bun.randomUUIDv7(),
  })
  const digest = of("bench")
  const nothing = { name: "nothing", mediaType: "application/json", sha256: digest, bytes: 0 }
  const created: Event = {
    type: "dev.dandori.run.created.v1",
    data: {
      pipeline: plan.id,
      plan: digest,
      planArtifact: nothing,
      config: nothing,
      params: {},
      env: request.env,
      environment: {},
      capacity: request.capacity,
      durability: request.durability,
      code: digest,
    },
  }
  const first = writer.append(created)
  return yield* Execution.execute({
    prepared,
    context: {
      id: run,
      pipeline: plan.id,
      plan: digest,
      env: request.env,
      who: request.who,
      requester: request.who,
      created: first.time,
      params: {},
      environment: {},
      opened: Effect.void,
    },
    writer,
    state: evolve(initial(prepared.plan), { ...created, time: first.time }),
    largeOutputs: new Map(),
  })
})
