import * as Effect from "effect/Effect"
import type { Event } from "../domain/event.ts"
import * as Occurrence from "../domain/occurrence.ts"
import type { Plan } from "../domain/plan.ts"
import type { Sha256 } from "../domain/sha256.ts"
import type { OwnRun, Requested, ScheduleState } from "../scheduler/schedule-state.ts"
import * as TickParams from "../scheduler/tick-params.ts"
import type { Ended, Wanted } from "./runner.ts"

/** A run that a schedule, or somebody, asks for now. */
export type AskedRun =
  | (Pick<OwnRun, "run" | "tick" | "plan"> & { readonly trigger: "schedule" | "backfill" })
  | (Requested & { readonly tick?: undefined })

/**
 * The runs that are to go on: those of ticks that do not wait for others, the first one of each backfill, and those that
 * somebody asked for.
 */
export const of = ({ backfills, requests, runs }: ScheduleState): ReadonlyArray<AskedRun> => [
  ...runs.flatMap((own) => (own.queued ? [] : [{ ...own, trigger: "schedule" } as const])),
  ...backfills.map(({ ticks: [first] }) => ({ ...first, trigger: "backfill" }) as const),
  ...requests,
]

/** All runs that are asked for and have not ended, also those that wait for others. */
export const all = (state: ScheduleState): ReadonlyArray<AskedRun & { readonly isLater: boolean }> => [
  ...state.runs.map((own) => ({ ...own, trigger: "schedule", isLater: false }) as const),
  ...state.backfills.flatMap(({ ticks }) =>
    ticks.map((one, index) => ({ ...one, trigger: "backfill", isLater: index > 0 }) as const),
  ),
  ...state.requests.map((one) => ({ ...one, isLater: false })),
]

const paramsOf = (tick: string) => (plan: Plan) => {
  const { schedule } = plan
  if (schedule === undefined) return Effect.fail({ message: "The plan of the tick has no schedule" })
  const { faults, values } = TickParams.at(plan, schedule, Date.parse(tick))
  return faults.length === 0
    ? Effect.succeed(values)
    : Effect.fail({ message: `The params of the tick ${tick} do not fit: ${faults.join("; ")}` })
}

/**
 * What the runner has to know of a run. That of a tick starts with the configuration that is `deployed`; undefined where its
 * pipeline is not known here.
 */
export const wantedOf = (own: AskedRun, deployed: Sha256 | undefined): Wanted | undefined => {
  if (own.tick === undefined) {
    const { by, config, params, plan, retry, run, trigger } = own
    const given = { run, plan, config, params: () => Effect.succeed(params), trigger, by }
    return retry === undefined ? given : { ...given, retry }
  }
  if (deployed === undefined) return undefined
  const { plan, run, trigger } = own
  const tick = Occurrence.timeText(own.tick)
  return { run, plan, config: deployed, params: paramsOf(tick), trigger, tick }
}

/** That a run has ended. */
export const endedOf = (
  pipeline: string,
  { run, tick }: Pick<Wanted, "run" | "tick">,
  { reason, status }: Ended,
): Extract<Event, { readonly type: "dev.dandori.schedule.run.ended.v1" }> => ({
  type: "dev.dandori.schedule.run.ended.v1",
  data: {
    pipeline,
    ...(tick === undefined ? {} : { tick }),
    run,
    status,
    ...(reason === undefined ? {} : { reason }),
  },
})
