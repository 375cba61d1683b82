import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { EvacuationSection } from "../../../../src/domain/config/evacuation.ts"
import { usual } from "../../../../src/domain/config/evacuation-usual.ts"
import type { IncidentCall } from "../../../../src/domain/incident.ts"
import { ContainerSockets } from "../../../../src/services/evacuation/stop/containers.ts"
import * as Incidents from "../../../../src/services/evacuation/incident/incidents.ts"
import * as ModelFiles from "../../../../src/services/model-files.ts"
import * as ArtifactsDirectory from "../../../../src/services/artifacts-directory.ts"
import { Settings } from "../../../../src/services/settings.ts"
import * as StopBook from "../../../../src/services/evacuation/stop/stop-book.ts"
import stop from "../../../../tasks/evacuate/stop/index.ts"
import * as Workplace from "../../../tasks/workplace.ts"
import { loop } from "./machine.fixture.ts"

/** What a test's evacuation has of its own. */
export interface Evacuating {
  readonly section?: Partial<EvacuationSection>
  readonly run?: string
  readonly task?: string
  readonly sockets?: ReadonlyArray<string>
}

/** The services of a task of an evacuation of a project. */
export const services = (root: string, { run, section, sockets = [], task = "stop" }: Evacuating) => {
  const place = Workplace.attempt(root, { task, ...(run === undefined ? {} : { run }) })
  const settings = Layer.effect(
    Settings,
    Effect.map(Settings, (own) =>
      Settings.of({ ...own, sections: { ...own.sections, evacuation: { ...usual, stop: [], ...section } } }),
    ),
  )
  const incidents = Incidents.layer({ root: join(root, ".dandori/incidents"), projectHome: join(root, ".dandori") })
  return Layer.mergeAll(
    settings,
    incidents,
    Layer.succeed(ContainerSockets, sockets),
    Layer.provide(ModelFiles.layer, ArtifactsDirectory.layer(join(root, ".dandori/artifacts"))),
  ).pipe(Layer.provideMerge(place))
}

/** Opens the incident `IR-1` of a project. */
export const open = (root: string, call: IncidentCall = { began: 0 }, drill = false) => {
  mkdirSync(join(root, ".dandori"), { recursive: true })
  return Effect.flatMap(Incidents.Incidents, (incidents) =>
    incidents.open(
      {
        format: "dandori-incident/1",
        id: "IR-1",
        opened: 0,
        owner: "tester",
        host: "here",
        project: root,
        env: "dev",
        reason: "a test",
        drill,
        snapshot: "20250101T000000Z",
      },
      call,
    ),
  ).pipe(Effect.provide(services(root, {})))
}

/** Stop targets of the shipped names, with a free port for the API and time for it to end. */
export const targets = (port: number): EvacuationSection["stop"] =>
  usual.stop.map((target) =>
    "match" in target && target.name === "api" ? { ...target, grace: "20s", match: { ...target.match, port } } : target,
  )

/** A program that says when it is up, and one that hears no signal but SIGKILL. */
export const sleeper = `echo up; ${loop}`
export const deaf = `trap '' INT TERM; ${sleeper}`

const input = { incident: "IR-1" }
/** The task and its dry run and probe, in a project. */
export const run = (root: string, given: Evacuating) => stop.run(input).pipe(Effect.provide(services(root, given)))
export const dryRun = (root: string, given: Evacuating) =>
  (stop.dryRun?.(input) ?? Effect.die("there is no dry run")).pipe(Effect.provide(services(root, given)))
export const probe = (root: string, given: Evacuating) =>
  (stop.probe?.(input) ?? Effect.die("there is no probe")).pipe(Effect.provide(services(root, given)))

/** `stopped.json` of a project. */
export const written = (root: string) =>
  Effect.map(StopBook.read({ path: join(root, ".dandori/incidents/IR-1") }), (found) =>
    Option.getOrElse(found, () => assert.fail("nothing was written")),
  )
