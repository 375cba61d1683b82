import { formatSize } from "../../../domain/quantity.ts"
import { plural } from "./post-mortem-words.ts"
import type { IncidentRecord } from "./incident-record.ts"
import type { Moment } from "./ledger-timeline.ts"

const moment = (at: number, of: string, text: string, bad = false): Moment => ({ at, of, text, bad })

const collectors = ({ collected }: IncidentRecord): ReadonlyArray<Moment> =>
  collected.map(({ bytes, collector, ended, files, outcome, reason }) => {
    const much = files > 0 ? `${plural(files, "file", "files")}, ` : ""
    const why = reason === undefined ? "" : `: ${reason}`
    const said = outcome === "ok" ? `took ${much}${formatSize(bytes)}` : `${outcome}${why}`
    return moment(ended, `collector ${collector}`, said, outcome === "failed")
  })

const stops = ({ folder, stopped }: IncidentRecord): ReadonlyArray<Moment> =>
  (stopped?.stops ?? []).flatMap(({ began, containers, ended, processes, remaining, signals, target }) => {
    const found = [
      ...(processes.length > 0 ? [plural(processes.length, "process", "processes")] : []),
      ...(containers.length > 0 ? [plural(containers.length, "container", "containers")] : []),
    ]
    const of = `stop ${target}`
    const left = remaining.length
    const last = left === 0 ? "all of it is gone" : `${left} of it did not end`
    const isOver = ended !== undefined && found.length > 0 && !folder.incident.drill
    return [
      moment(began, of, found.length === 0 ? "nothing of it runs" : `found ${found.join(" and ")}`),
      ...signals.map(({ at, pids, signal }) => moment(at, of, `${signal} to ${pidsText(pids)}`)),
      ...(isOver ? [moment(ended, of, last, left > 0)] : []),
    ]
  })

/** Some process ids, the first of many. */
export const pidsText = (pids: ReadonlyArray<number>): string =>
  pids.length <= 8 ? pids.join(", ") : `${pids.slice(0, 8).join(", ")} and ${pids.length - 8} more`

const pushes = ({ pushed }: IncidentRecord): ReadonlyArray<Moment> => {
  const rungs = [...new Set(pushed.map(({ rung }) => rung))]
  return rungs.flatMap((rung) => {
    const own = pushed.filter((line) => line.rung === rung)
    const times = own.map(({ at }) => at)
    const first = times.reduce((least, at) => Math.min(least, at), Number.POSITIVE_INFINITY)
    const last = times.reduce((most, at) => Math.max(most, at), 0)
    const bytes = own.reduce((sum, line) => sum + line.bytes, 0)
    return [
      moment(first, `destination ${rung}`, "confirmed the first object"),
      moment(
        last,
        `destination ${rung}`,
        `confirmed the last of ${plural(own.length, "object", "objects")}, ${formatSize(bytes)}`,
      ),
    ]
  })
}

const starts = ({ recovered }: IncidentRecord): ReadonlyArray<Moment> =>
  (recovered?.starts ?? []).flatMap(({ began, failed, name, ready }) => [
    moment(
      began,
      `recover ${name}`,
      failed === undefined ? "started" : `started, and failed: ${failed}`,
      failed !== undefined,
    ),
    ...(ready === undefined ? [] : [moment(ready, `recover ${name}`, "is ready")]),
  ])

/** All that happened, in its order: what the ledger says and what the incident's own lists say. */
export const timeline = (record: IncidentRecord, told: ReadonlyArray<Moment>): ReadonlyArray<Moment> => {
  const { call, incident } = record.folder
  const own = [
    moment(incident.opened, "incident", `opened by ${incident.owner}: ${incident.reason}`),
    ...(call.began > incident.opened ? [moment(call.began, "incident", "evacuation called again")] : []),
  ]
  return [...told, ...own, ...collectors(record), ...stops(record), ...pushes(record), ...starts(record)].toSorted(
    (a, b) => a.at - b.at,
  )
}
