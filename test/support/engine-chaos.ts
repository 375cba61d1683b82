import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { decide } from "../../src/engine/decide.ts"
import { compilePlan } from "../../src/engine/compiled-plan.ts"
import { evolve } from "../../src/engine/evolve.ts"
import { initial, isTerminal, runStatus, taskAt } from "../../src/engine/run-state.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as Verify from "../../src/ledger/verify.ts"
import * as Pipeline from "../chaos/chaos-pipeline.ts"
import type { Timed } from "./engine-interpreter.ts"
import * as Project from "./engine-project.ts"

const child = fileURLToPath(new URL("../chaos/chaos-run.ts", import.meta.url))

/** How a child of the chaos test ended. */
export interface Ended {
  readonly exitCode: number
  readonly signal: string | null
  /** What it wrote, to both of its outputs. */
  readonly output: string
}

/** When a child is killed: so many milliseconds after its birth or after it was ready, or after so many events. */
export type Blow =
  | { readonly _tag: "Birth" | "Ready"; readonly millis: number }
  | { readonly _tag: "Events"; readonly count: number; readonly signal?: "SIGKILL" | "SIGTERM" }
  | { readonly _tag: "None" }

/** Starts or resumes the run of a project in a child process, and deals the blow. */
export const live = (project: string, blow: Blow): Promise<Ended> =>
  new Promise((resolve) => {
    const limit = blow._tag === "Events" ? [String(blow.count), blow.signal ?? "SIGKILL"] : []
    const started = Bun.spawn([process.execPath, child, project, ...limit], { stdout: "pipe", stderr: "pipe" })
    const strike = () => {
      if (blow._tag !== "Birth" && blow._tag !== "Ready") return
      const end = performance.now() + blow.millis
      // Timers are a millisecond coarse; the rest is waited for in place.
      setTimeout(
        () => {
          while (performance.now() < end);
          started.kill("SIGKILL")
        },
        Math.max(0, Math.floor(blow.millis) - 1),
      )
    }
    if (blow._tag === "Birth") strike()
    const watch = async () => {
      let output = ""
      for await (const bytes of started.stdout) {
        if (output === "" && blow._tag === "Ready") strike()
        output += new TextDecoder().decode(bytes)
      }
      output += await new Response(started.stderr).text()
      await started.exited
      const signal = started.signalCode === null ? null : String(started.signalCode)
      resolve({ exitCode: started.exitCode ?? -1, signal, output })
    }
    void watch()
  })

/** What a project's ledger and its file of effects say when its run has ended; empty when every promise holds. */
export const faultsOf = Effect.fnUntraced(function* (project: string) {
  const faults: Array<string> = []
  const demand = (holds: boolean, what: string) => {
    if (!holds) faults.push(what)
  }
  const types = Pipeline.types(project)
  const plan = Pipeline.pipeline(types)
  return yield* Effect.gen(function* () {
    const ledger = yield* Ledger
    const verified = yield* Verify.verify(Project.at(project).home)
    demand(verified.exitCode === 0, `verify: ${JSON.stringify(verified.faults)}`)
    const chains = yield* Effect.forEach(yield* ledger.runs, (run) =>
      ledger.read(`runs/${run}`).pipe(Effect.catchTag("StreamMissing", () => Effect.undefined)),
    )
    const runs = chains.filter((chain) => chain !== undefined).filter((chain) => chain.entries.length > 0)
    demand(runs.length === 1, `${runs.length} runs`)
    const entries = runs[0]?.entries ?? []
    demand(runs[0]?.fault === undefined, `fault: ${runs[0]?.fault?.reason}`)
    demand(entries.at(-1)?.type === "dev.dandori.run.finished.v1", "the run has not finished")

    let state = initial(compilePlan(plan))
    const open = new Map<string, number>()
    const begun = new Set<string>()
    for (const entry of entries) {
      const event = { type: entry.type, data: entry.data, time: Date.parse(entry.time) } as Timed
      const { task, attempt } = event.data as { readonly task?: string; readonly attempt?: number }
      const kind = /attempt\.(\w+)\.v1$/.exec(event.type)?.[1]
      if (task !== undefined && kind === "started") {
        demand(!open.has(task), `${task}: attempt ${attempt} started before ${open.get(task)} had ended`)
        demand(!isTerminal(taskAt(state, state.plan.indexOf.get(task) ?? -1).status), `${task} started after its end`)
        open.set(task, attempt ?? 0)
        begun.add(`${task} ${attempt}`)
      } else if (task !== undefined && kind !== undefined) {
        demand(open.get(task) === attempt, `${task}: ${kind} of attempt ${attempt}, open is ${open.get(task)}`)
        open.delete(task)
      }
      state = evolve(state, event)
    }
    demand(open.size === 0, `attempts without an end: ${[...open.keys()].join(", ")}`)
    const status = runStatus(state)
    demand(status === "succeeded" || status === "warned", `the run is ${status}`)
    demand(decide(state, 0).length === 0, "the core wants more")

    const effects = Pipeline.effectsOf(project)
    for (const [index, task] of plan.tasks.entries()) {
      const own = effects.filter(({ key }) => key.endsWith(`/${task.id}`))
      demand(new Set(own.map(({ key }) => key)).size <= 1, `${task.id} has several idempotency keys`)
      for (const { attempt } of own) demand(begun.has(`${task.id} ${attempt}`), `${task.id} ${attempt} had no intent`)
      if (task.effects !== "once") continue
      const done = taskAt(state, index).status === "succeeded"
      demand(
        own.length === (done ? 1 : 0),
        `${task.id} happened ${own.length} times, is ${taskAt(state, index).status}`,
      )
    }
    const repairs = Project.dataOf(entries, "ledger.repaired").length
    return { faults, entries: entries.length, resumed: Project.dataOf(entries, "run.resumed").length, repairs }
  }).pipe(Effect.provide(Project.services(Project.at(project), { types: Object.values(types) })))
})
