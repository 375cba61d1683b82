import * as HashMap from "effect/HashMap"
import { promptMillis } from "../domain/durability.ts"
import type { Event, EventData } from "../domain/event.ts"
import type { Plan } from "../domain/plan.ts"
import type { Request } from "../domain/request.ts"
import * as Sha256 from "../domain/sha256.ts"
import * as CompiledPlan from "../engine/compiled-plan.ts"
import * as Inputs from "../engine/inputs.ts"
import type { Prepared } from "../engine/prepared.ts"
import * as Requests from "../engine/requests.ts"
import { type RunState, runStatus, taskAt } from "../engine/run-state.ts"
import * as Disk from "./disk.ts"
import * as Owner from "./owner.ts"
import { type Place, type Setting, uuid } from "./place.ts"
import type { LifeEnd, RunTrace } from "./trace.ts"
import * as World from "./world.ts"

/** A run with all its processes, and the people around it. */
export interface VirtualRun {
  readonly run: string
  readonly ended: () => boolean
  readonly cancel: (reason: string) => void
  readonly trace: () => RunTrace
}

/** What a run is made of. `count` numbers the runs of a simulation. */
export interface Options {
  readonly plan: Plan
  readonly params: Readonly<Record<string, unknown>>
  readonly count: number
  readonly tick?: string
  readonly prepared?: Prepared
  readonly onEnd: () => void
}

const requester = "ada"
const mostDeaths = 20
const mostLives = 300

/** Makes a run and has it driven to its end: its process may die and another goes on; people answer and cancel. */
export const start = (setting: Setting, options: Options): VirtualRun => {
  const { chance, faults, notes, timeline } = setting
  const { count, plan } = options
  const createdAt = timeline.wall()
  const run = uuid(createdAt, count, "8")
  const digest = setting.digestOf(plan)
  const durability = chance.hits(0.5) ? "fsync" : "batched"
  const bytes = { sha256: digest, bytes: 0, mediaType: "application/json" }
  const created: EventData<"dev.dandori.run.created.v1"> = {
    pipeline: plan.id,
    plan: digest,
    planArtifact: { name: "plan.json", ...bytes },
    config: { name: "config.json", ...bytes },
    params: options.params,
    env: "dev",
    environment: {},
    capacity: setting.capacity,
    durability,
    code: digest,
    ...(options.tick === undefined ? {} : { tick: options.tick }),
  }
  const disk = Disk.make({
    run,
    timeline,
    chance,
    faults,
    notes,
    interval: durability === "fsync" ? promptMillis : setting.flushInterval,
    early: !setting.rules.acknowledgesAfterFlush,
    patient: plan.audit === "best-effort",
  })
  let deaths = 0
  const world = World.make(run, chance, faults, options.prepared)
  const facts = { id: run, pipeline: plan.id, env: "dev", created: new Date(createdAt).toISOString(), environment: {} }
  const inputs =
    options.prepared && Inputs.make(options.prepared, { ...facts, params: options.params }, () => undefined)
  const place: Place = {
    ...setting,
    run,
    plan,
    current: { ...plan, env: [...plan.env, "CHANGED_SINCE"] },
    created,
    createdAt,
    disk,
    world,
    condition: (state, index) => {
      const known = inputs?.condition(state, index)
      return typeof known === "boolean" ? known : world.condition(CompiledPlan.taskOfNode(state.plan, index))
    },
    stays: chance.hits(0.5),
    dies: () => {
      if (deaths >= mostDeaths || !chance.hits(faults["process-dies"])) return false
      deaths++
      notes.note({ _tag: "Fault", fault: "process-dies", run, text: "the process dies" })
      return true
    },
  }
  let lives = 0
  let owner: Owner.Owner | undefined
  let over = false
  let finished = false
  let looking = false
  let driving = false

  const end = (well: boolean) => {
    over = true
    finished = well
    options.onEnd()
  }
  const takeUp = (purpose: Owner.Purpose) => {
    if (over || owner !== undefined) return
    if (++lives > mostLives) return end(false)
    owner = Owner.takeUp(place, lives, purpose, { ended: onLetGo, hangs: onHang, asks: lookLater })
  }
  const driveLater = (most: number) => {
    if (driving) return
    driving = true
    timeline.after(chance.millis(1_000, most), () => {
      driving = false
      takeUp({ _tag: "Drive" })
    })
  }
  const onLetGo = (how: LifeEnd) => {
    owner = undefined
    if (how === "finished" || how === "stuck") return end(how === "finished")
    if (how === "waits") lookLater()
    driveLater(how === "waits" ? 14_400_000 : 3_600_000)
  }

  const judged = (state: RunState, request: Request, by: string): Event | undefined => {
    const prepared = { plan: state.plan, types: options.prepared?.types ?? new Map() }
    const parties = { by, requester, selfApproval: false, now: timeline.wall(), writes: owner === undefined }
    const verdict = Requests.judge(run, prepared, state, request, parties)
    return "event" in verdict ? verdict.event : undefined
  }
  const idOf = (state: RunState, index: number) => CompiledPlan.taskOfNode(state.plan, index).id
  /** What somebody says of something that the run waits for: agrees, agrees to something else, refuses. */
  const answer = (state: RunState): Event | undefined => {
    const approvals = [...HashMap.keys(state.approvals)].toSorted((a, b) => a - b)
    if (approvals.length === 0) return undefined
    const index = chance.among(approvals)
    const { approval } = taskAt(state, index)
    if (approval === undefined) return undefined
    const task = idOf(state, index)
    const input = chance.hits(0.1) ? Sha256.of("seen before") : approval.input
    const by = chance.hits(0.2) ? requester : `approver ${chance.draw(approval.approvers + 2)}`
    const refuses = chance.hits(0.1)
    return judged(state, refuses ? { kind: "refuse", task, input, reason: "no" } : { kind: "approve", task, input }, by)
  }
  const resolution = (state: RunState): Event | undefined => {
    const unknown = [...HashMap.keys(state.unknown)].toSorted((a, b) => a - b)
    if (unknown.length === 0) return undefined
    const task = idOf(state, chance.among(unknown))
    const as = place.world.happened(task) ? "succeeded" : "failed"
    const output = as === "succeeded" ? { output: {} } : {}
    return { type: "dev.dandori.task.resolved.v1", data: { task, as, reason: "somebody looked", ...output } }
  }
  const lookLater = () => {
    if (looking || over) return
    looking = true
    timeline.after(chance.millis(1_000, 14_400_000), look)
  }
  const look = () => {
    looking = false
    if (over) return
    const visit: Owner.Purpose = { _tag: "Append", event: (state) => answer(state) ?? resolution(state) }
    if (owner === undefined) return takeUp(visit)
    const state = owner.state()
    if (!owner.drives()) return lookLater()
    if (runStatus(state) === "waiting" && HashMap.size(state.approvals) === 0) {
      // Somebody stops it before he says what he saw.
      owner.stop()
      return takeUp(visit)
    }
    const event = answer(state)
    if (event !== undefined) owner.record(event)
    lookLater()
  }
  const onHang = () =>
    timeline.after(chance.millis(600_000, 86_400_000), () => {
      if (over) return
      if (chance.hits(0.5)) cancel("it hangs")
      else owner?.stop()
    })
  const cancel = (reason: string): void => {
    if (over) return
    const event = (state: RunState) => judged(state, { kind: "cancel", reason }, requester)
    if (owner?.drives() === true) {
      const asked = event(owner.state())
      if (asked !== undefined) owner.record(asked)
    } else if (owner === undefined && disk.entries().length > 0) takeUp({ _tag: "Append", event })
    else timeline.after(1_000, () => cancel(reason))
  }

  takeUp({ _tag: "Drive" })
  if (chance.hits(faults.cancel)) {
    timeline.after(chance.millis(1, 600_000), () => {
      if (over) return
      notes.note({ _tag: "Fault", fault: "cancel", run, text: "somebody cancels the run" })
      cancel("enough")
    })
  }
  return {
    run,
    ended: () => over,
    cancel,
    trace: () => ({
      run,
      plan,
      durability,
      kept: disk.entries(),
      text: setting.sealed ? disk.text() : undefined,
      ended: finished,
    }),
  }
}
