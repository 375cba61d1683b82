import * as Fs from "node:fs/promises"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Collected } from "../../../domain/collected.ts"
import type { FilesCollector } from "../../../domain/config/evacuation.ts"
import { attempt } from "../../durable-files.ts"
import { Settings } from "../../settings.ts"
import { Workspace } from "../../workspace.ts"
import * as CollectorFiles from "./collector-files.ts"
import { collectorRoot } from "./collector-root.ts"
import { type IncidentFolder, Incidents, addLines, readLines } from "../incident/incidents.ts"
import * as InventoryLists from "./inventory-lists.ts"

const collectedName = "collected.ndjson"

/** Whether a collector had nothing to take for the reason that it has none now: what was said of it then is still true. */
const isSameSkip = (before: Collected | undefined, now: Collected) =>
  before?.outcome === "skipped" && now.outcome === "skipped" && before.reason === now.reason

const isWhole = (ended: Collected | undefined) => ended?.outcome === "ok" && ended.truncated !== true

/**
 * Lists the files that an evacuation takes: those of every `files` collector, the smallest value first, in
 * `inventory.ndjson`, what is not taken in `not-taken.ndjson`, and how each collector ended in `collected.ndjson`, where
 * the last line of a collector counts. A collector that ended `ok` is not looked at again, and what is listed stays
 * listed, so that another call takes the same files. Fails only where the lists cannot be written.
 */
export const take = Effect.fn("Inventory.take")(function* (folder: IncidentFolder) {
  const { evacuation } = (yield* Settings).sections
  const { project } = yield* Workspace
  const { projectHome, root: incidents } = yield* Incidents
  const rootOf = (root: string) => collectorRoot({ project, projectHome }, root)

  const collectors = evacuation.collectors
    .filter((each): each is FilesCollector => each.kind === "files")
    .toSorted((a, b) => a.value - b.value)
  const endings = yield* readLines(folder.path, collectedName, Collected)
  const ended = new Map(endings.map((each) => [each.collector, each]))
  const again = collectors.filter(({ name }) => !isWhole(ended.get(name)))
  if (again.length > 0) {
    const lists = yield* InventoryLists.open(folder.path, new Set(again.map(({ name }) => name)))
    const own = yield* Effect.forEach([incidents, rootOf(evacuation.sealed)], (path) =>
      Effect.option(attempt("look at", path, () => Fs.stat(path, { bigint: true }))),
    )
    const isOwn: CollectorFiles.Look["isOwn"] = ({ dev, ino }) =>
      own.some(Option.exists((each) => each.dev === dev && each.ino === ino))
    for (const collector of again) {
      const root = rootOf(collector.root)
      const took = yield* CollectorFiles.look({ collector, root, lists, deadline: folder.call.deadline, isOwn })
      if (isSameSkip(ended.get(collector.name), took)) continue
      ended.set(collector.name, took)
      yield* addLines(folder.path, collectedName, [took])
    }
  }
  return collectors.flatMap(({ name }) => ended.get(name) ?? [])
})
