/** What an evacuation would do now: looked up on this machine, in the way that the evacuation itself does; nothing changes. */
import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type Collected, NotTaken } from "../../domain/collected.ts"
import { type Incident, stampOf } from "../../domain/incident.ts"
import { Pushed } from "../../domain/pushed.ts"
import * as Durable from "../durable-files.ts"
import { Settings } from "../settings.ts"
import { Workspace } from "../workspace.ts"
import * as Incidents from "./incident/incidents.ts"
import * as Inventory from "./sources/inventory.ts"
import * as ProcessFacts from "./stop/process-facts.ts"
import * as ProcessMatch from "./stop/process-match.ts"

/** A process that would be stopped, or one that only has the same words, and why. */
export interface Sighted {
  readonly pid: number
  readonly command: string
  readonly reason: string
}

/** What would become of one target of the stop. */
export interface StopForecast {
  readonly target: string
  readonly found: ReadonlyArray<Sighted>
  readonly near: ReadonlyArray<Sighted>
}

/** What would be stopped, what would be sent, and what not. `there`: objects that the incident has sent already. */
export interface Forecast {
  readonly stops: ReadonlyArray<StopForecast>
  readonly collected: ReadonlyArray<Collected>
  readonly notTaken: ReadonlyArray<NotTaken>
  readonly there: number
}

const sighted = (pid: number, reason: string): Sighted => ({ pid, command: ProcessFacts.argvOf(pid).join(" "), reason })

const stops = Effect.gen(function* () {
  const { evacuation } = (yield* Settings).sections
  const { project } = yield* Workspace
  const targets = evacuation.stop.flatMap((target) => ("match" in target ? [target] : []))
  return yield* Effect.forEach(targets, ({ match, name }) =>
    Effect.map(ProcessMatch.find(match, project), ({ found, near }): StopForecast => ({
      target: name,
      found: found.map(({ row, why }) => sighted(row.pid, why)),
      near: near.map(({ reason, row }) => sighted(row.pid, reason)),
    })),
  )
})

/** The files that would be taken, by an inventory in a folder that is removed again. */
const files = Effect.gen(function* () {
  const { project } = yield* Workspace
  const now = yield* Clock.currentTimeMillis
  const { env } = yield* Settings
  const incident: Incident = {
    format: "dandori-incident/1",
    id: "forecast",
    opened: now,
    owner: "nobody",
    host: "",
    project,
    env,
    reason: "a dry run",
    drill: true,
    snapshot: stampOf(now),
  }
  const folder = yield* Effect.acquireRelease(
    Durable.attempt("make a folder", tmpdir(), () => Fs.mkdtemp(join(tmpdir(), "dandori-forecast-"))),
    (path) => Effect.ignore(Durable.attempt("remove", path, () => Fs.rm(path, { recursive: true, force: true }))),
  )
  const collected = yield* Inventory.take({ path: folder, incident, call: { began: now } })
  return { collected, notTaken: yield* Incidents.readLines(folder, "not-taken.ndjson", NotTaken) }
}).pipe(Effect.scoped)

/** Looks at what would be stopped and taken; `earlier` is the folder of the incident that would be gone on with. */
export const look = Effect.fn("Forecast.look")(function* (earlier: string | undefined) {
  const pushed = earlier === undefined ? [] : yield* Incidents.readLines(earlier, "pushed.ndjson", Pushed)
  const there = new Set(pushed.map(({ key }) => key)).size
  return { stops: yield* stops, ...(yield* files), there } satisfies Forecast
})
