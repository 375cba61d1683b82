import { readdirSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { parseDuration } from "../../../domain/quantity.ts"
import type { StopTarget } from "../../../domain/config/evacuation.ts"
import type { DoomedContainer, NearMiss } from "../../../domain/stopped.ts"
import * as Durable from "../../durable-files.ts"
import { type Sighting, sight } from "../../process-groups.ts"
import * as Records from "../../process-records.ts"
import type { Row } from "../../process-table.ts"
import { Settings } from "../../settings.ts"
import { Workspace } from "../../workspace.ts"
import * as Containers from "./containers.ts"
import { Incidents } from "../incident/incidents.ts"
import * as ProcessMatch from "./process-match.ts"
import type { Seek } from "./process-pack.ts"

/** What a target means now. `seek` leaves open who is spared. */
export interface Sought {
  readonly seek: Omit<Seek, "spares">
  readonly containers: ReadonlyArray<DoomedContainer>
  readonly near: ReadonlyArray<NearMiss>
  /** What could not be asked, so that something of the target may run. */
  readonly problems: ReadonlyArray<string>
  readonly graceMillis: number
}

/** Something that is stopped: how it is found, anew each time. */
export interface Target {
  readonly name: string
  readonly find: Effect.Effect<Sought>
}

const nothing: Omit<Sought, "graceMillis"> = { seek: { seeds: () => [] }, containers: [], near: [], problems: [] }

/** The name of the target that stands for Dandori's own runs. */
export const runsName = "runs"

/** Why a folder of records cannot be read; nothing where it can, or is not there. */
const unreadable = (folder: string): Effect.Effect<ReadonlyArray<string>> =>
  Durable.attemptNow("list", folder, () => readdirSync(folder)).pipe(
    Effect.as([]),
    Effect.catch(({ code, message }) =>
      Effect.succeed(code === "ENOENT" ? [] : [`which runs have processes is not known: ${message}`]),
    ),
  )

/** The children of recorded runs, but those of the run that does the stopping. */
const recordedRuns = (folder: string, ownRun: string | undefined): Target => {
  const isMeant = ({ mark, owner }: Records.ProcessRecord) =>
    mark === undefined ? owner.pid !== process.pid : mark.run !== ownRun
  const whyOf = ({ mark }: Records.ProcessRecord) =>
    mark === undefined ? "is recorded as an idle worker" : `is recorded: task ${mark.task} of run ${mark.run}`
  return {
    name: runsName,
    find: Effect.map(unreadable(folder), (problems) => {
      const records = Records.list(folder).filter(isMeant)
      const watchers = new Set<number>()
      const seen = (record: Records.ProcessRecord, sighting: Sighting) => {
        for (const row of sighting.watchers) watchers.add(row.pid)
        return sighting.members.map((row) => ({ row, why: whyOf(record) }))
      }
      return {
        ...nothing,
        problems,
        seek: {
          seeds: () => records.flatMap((record) => seen(record, sight(record))),
          // They end by themselves, and hear no signal but SIGKILL.
          ignores: (row: Row) => watchers.has(row.pid),
        },
        graceMillis: Math.max(0, ...records.map(({ graceMillis }) => graceMillis)),
      }
    }),
  }
}

const configured = (target: StopTarget, usualGrace: string, project: string): Target => {
  const { name } = target
  const graceMillis = parseDuration(target.grace ?? usualGrace) ?? 0
  const silent = new Map<string, string>()
  return {
    name,
    find:
      "match" in target
        ? Effect.map(ProcessMatch.find(target.match, project), ({ found, near }) => ({
            ...nothing,
            seek: { seeds: () => found },
            near: near.map(({ reason, row }) => ({ target: name, pid: row.pid, reason })),
            graceMillis,
          }))
        : Effect.map(Containers.running(target.container_label, silent), (found) => ({
            ...nothing,
            ...found,
            graceMillis,
          })),
  }
}

/** What is stopped, in its order: Dandori's own runs but `ownRun`, then the section's targets. */
export const all = Effect.fnUntraced(function* (ownRun: string | undefined) {
  const { grace, stop } = (yield* Settings).sections.evacuation
  const { projectHome } = yield* Incidents
  const { project } = yield* Workspace
  return [
    recordedRuns(join(projectHome, "processes"), ownRun),
    ...stop.map((target) => configured(target, grace, project)),
  ] satisfies ReadonlyArray<Target>
})
