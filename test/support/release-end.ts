import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Sample from "./sample-project.ts"
import * as Commits from "./release-commits.ts"
import type { Monitor } from "./release-monitor.ts"
import type { Place } from "./release-place.ts"
import type { Steps } from "./release-steps.ts"
import type { Fault, Move, Watch } from "./release-watch.ts"

/** What is looked at when the last run of a trial has ended. */
export interface End {
  readonly place: Place
  readonly watch: Watch
  readonly monitor: Monitor
  readonly steps: Steps
  readonly fault: Fault
}

/** What the end of a trial came to. */
export interface Found {
  readonly moves: number
  /** Rows that the registry's commits have touched. */
  readonly commits: number
  /** Notifications that the ledger and the registry tell of, and what the fake servers took for them. */
  readonly notifications: number
  readonly deliveries: number
  readonly signals: number
  readonly records: number
}

/** A delay of the outbox is at most five minutes. */
const drainMillis = 360_000

/** Lets other processes deliver until nothing waits. */
const drain = async ({ fault, place, watch }: End) => {
  const pending = join(place.project.home, "outbox/pending")
  const began = performance.now()
  for (;;) {
    const said = await Sample.dandori(place.project, "run", "hello")
    if (said.code !== 0) return fault(`a run of hello at the end: ${said.code} ${said.out}${said.err}`)
    const [row] = await watch.ask("SELECT count(*)::int AS left FROM core.outbox WHERE delivered IS NULL")
    const left = (await Fs.readdir(pending)).filter((name) => name.endsWith(".json"))
    if (row?.left === 0 && left.length === 0) return
    if (performance.now() - began > drainMillis) {
      return fault(`left in the outbox: ${row?.left} of core.outbox, in ${pending}: ${left.join(", ")}`)
    }
    await Bun.sleep(1_000)
  }
}

/** Every notification that a run or the registry has made reached the fake server of each of its routes. */
const notifications = async ({ fault, place, steps, watch }: End, moves: Watch["moves"]) => {
  const { chat } = place
  const events = await watch.told("true")
  const slack = chat.slack().map((body) => ({ channel: body.channel, text: JSON.stringify(body) }))
  const pages = chat.pagerDuty().map((body) => JSON.stringify(body))
  const refused = await Fs.readdir(join(place.project.home, "outbox/refused"))
  if (refused.length > 0) fault(`refused notifications: ${refused.join(", ")} in ${place.project.home}/outbox/refused`)
  const wanted: Array<{ readonly what: string; readonly count: number }> = []
  for (const { data, run, type } of events) {
    const { id, to } = data.output ?? {}
    if (type !== "attempt.succeeded" || !Array.isArray(to)) continue
    for (const route of to as ReadonlyArray<string>) {
      const channel = /^slack:(.*)$/.exec(route)?.[1]
      const taken =
        channel === undefined
          ? pages.filter((body) => body.includes(id))
          : slack.filter((one) => one.channel === channel && one.text.includes(id))
      wanted.push({ what: `${id} of run ${run} (${data.task}) to ${route}`, count: taken.length })
    }
  }
  for (const { reason, sequence, version } of moves) {
    const taken = slack.filter(({ text }) => text.includes(`${version} is champion of`) && text.includes(`: ${reason}`))
    wanted.push({ what: `that move ${sequence} made ${version} champion (${reason})`, count: taken.length })
  }
  for (const { what, count } of wanted) if (count === 0) fault(`nobody was told: ${what}`)
  const told = new Set(
    events.filter(({ data }) => Array.isArray(data.output?.to)).map(({ data, run }) => `${run} ${data.task}`),
  )
  for (const { run, status } of steps.ended) {
    const task = status === "succeeded" ? "tell" : "report"
    if (!told.has(`${run} ${task}`)) fault(`run ${run} is ${status}, and its ${task} has told nobody`)
  }
  return { notifications: wanted.length, deliveries: wanted.reduce((sum, { count }) => sum + count, 0) }
}

/** Each move was published to those who serve, at least once for each time that a version took another one's place. */
const signals = async ({ fault, monitor, watch }: End, moves: Watch["moves"]) => {
  const query =
    "SELECT extract(epoch FROM delivered)::float8 * 1000 AS at FROM core.outbox WHERE kind = 'signal' ORDER BY id"
  const sent = (await watch.ask(query)) as ReadonlyArray<{ readonly at: number }>
  if (sent.length !== moves.length) fault(`${moves.length} moves have ${sent.length} signals in core.outbox`)
  const heard = monitor.published.filter(({ event }) => event === "model.deployed")
  const key = (version: unknown, previous: unknown) => `${version} in place of ${previous}`
  for (const [what, alike] of Map.groupBy(moves, (move) => key(move.version, move.from_version))) {
    const count = heard.filter(({ previous, version }) => key(version, previous) === what).length
    const sentAt = ({ sequence }: Move) => sent[sequence - 1]?.at ?? 0
    const unheard = alike.filter((move) => monitor.missed(sentAt(move) - 5_000, sentAt(move)))
    if (count + unheard.length < alike.length) fault(`${what}: signalled ${count} times for ${alike.length} moves`)
  }
  return heard.length
}

/** The moves of rollbacks happened while the halt flag was up, by Redis' own clock and by the ledger. */
const halts = async ({ fault, monitor, steps, watch }: End, moves: Watch["moves"]) => {
  for (const move of moves) {
    if (steps.ended.find(({ run }) => run === move.run)?.pipeline !== "rollback") continue
    if (monitor.haltedAt(move.at) !== true)
      fault(`move ${move.sequence} of rollback ${move.run} was made without a halt`)
    const events = await watch.told("stream = $1", [`runs/${move.run}`])
    const at = (type: string, task: string) => events.findIndex((each) => each.type === type && each.data.task === task)
    const halted = at("attempt.succeeded", "halt")
    if (halted < 0 || halted > at("attempt.started", "deploy")) {
      fault(`rollback ${move.run} deployed before its halt was recorded`)
    }
  }
}

/** Records of a type in the folder and in the bucket, each under lock there, by the run that they are of. */
const recordsOf = async ({ fault, place }: End, type: string) => {
  const root = join(place.project.home, "worm", type)
  const isRecord = (name: string) => name.endsWith(".json") && !name.includes("chain/")
  const inFolder: Array<string> = []
  for (const name of (await Sample.filesBelow(root).catch(() => [])).filter(isRecord)) {
    inFolder.push(JSON.parse(await Fs.readFile(join(root, name), "utf8")).payload.run)
  }
  const inBucket: Array<string> = []
  for (let token: string | undefined, more = true; more;) {
    const page = await place.s3.listObjectsV2({ Bucket: "audit", Prefix: `worm/${type}/`, ContinuationToken: token })
    for (const { Key = "" } of (page.Contents ?? []).filter((each) => isRecord(each.Key ?? ""))) {
      const object = await place.s3.getObject({ Bucket: "audit", Key })
      inBucket.push(JSON.parse((await object.Body?.transformToString()) ?? "{}").payload?.run)
      const { Retention } = await place.s3.getObjectRetention({ Bucket: "audit", Key })
      const isLocked = Retention?.Mode === "GOVERNANCE" && Number(Retention.RetainUntilDate) > Date.now() + 86_400_000
      if (!isLocked) fault(`s3://audit/${Key} is not under lock: ${JSON.stringify(Retention)}`)
    }
    token = page.NextContinuationToken
    more = token !== undefined
  }
  return { inFolder, inBucket }
}

/** Each run whose archive task succeeded has exactly one record in each place; no run has two. */
const records = async (end: End) => {
  const { fault, watch } = end
  const events = await watch.told("true")
  const archived = events.filter(({ data, type }) => type === "attempt.succeeded" && data.task === "archive")
  const runs = archived.map(({ run }) => run)
  const places = [await recordsOf(end, "model_publish"), await recordsOf(end, "ops")]
  for (const where of ["inFolder", "inBucket"] as const) {
    const found = places.flatMap((each) => each[where])
    for (const run of new Set([...runs, ...found])) {
      const count = found.filter((each) => each === run).length
      if (count > 1 || (count === 0 && runs.includes(run))) fault(`run ${run} has ${count} write-once records ${where}`)
    }
  }
  return runs.length
}

/** Every copy in the bucket has the bytes of the version's folder. */
const copies = async ({ fault, place, watch }: End) => {
  const released = await watch.told("line LIKE '%attempt.succeeded.v1%'")
  const versions = new Set(released.flatMap(({ data }) => (data.task === "distribute" ? [data.output.version] : [])))
  for (const version of versions) {
    const folder = join(place.project.home, "models", version)
    for (const name of await Sample.filesBelow(folder)) {
      const Key = `releases/${version}/${name}`
      const object = await place.s3.getObject({ Bucket: "models", Key }).catch((cause: unknown) => String(cause))
      const bytes = typeof object === "string" ? undefined : await object.Body?.transformToByteArray()
      const isSame = bytes !== undefined && Buffer.compare(await Fs.readFile(join(folder, name)), bytes) === 0
      if (!isSame)
        fault(
          `s3://models/${Key} is not what lies in ${folder}: ${typeof object === "string" ? object : "other bytes"}`,
        )
    }
  }
}

/** Looks at all that must be true at the end. */
export const check = async (end: End): Promise<Found> => {
  const { fault, place, watch } = end
  await drain(end)
  await watch.now()
  const { moves } = watch
  const commits = await Commits.check(watch, fault)
  const told = await notifications(end, moves)
  const heard = await signals(end, moves)
  await halts(end, moves)
  const count = await records(end)
  await copies(end)
  const listed = await Sample.dandori(place.project, "runs", "list", "--limit", "1000000", "--json")
  for (const { run, status } of Sample.ndjson(listed.out)) {
    if (status !== "succeeded" && status !== "failed") fault(`run ${run} is ${status} at the end`)
  }
  for (const words of [
    ["ledger", "verify"],
    ["ledger", "verify", "--registry"],
    ["worm", "verify"],
  ]) {
    const said = await Sample.dandori(place.project, ...words)
    if (said.code !== 0) fault(`dandori ${words.join(" ")}: ${said.code} ${said.out}${said.err}`)
  }
  return { moves: moves.length, commits, ...told, signals: heard, records: count }
}
