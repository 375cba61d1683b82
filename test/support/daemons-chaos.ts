import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as End from "./daemons-end.ts"
import * as Load from "./daemons-load.ts"
import * as Place from "./daemons-place.ts"
import { dice } from "./engine-interpreter.ts"
import type { LinkState } from "./link-proxy.ts"
import * as Postgres from "./servers/postgres.ts"

/** What is done to a daemon. The first ones in a list are those that a short trial has. */
const disturbances = ["terminate", "severed", "kill", "stop", "silent", "refused"] as const
export type Disturbance = (typeof disturbances)[number] | "restart of the database"

/** What daemons that were disturbed came to. `faults` is empty when no tick and no run was lost, doubled or wrong. */
export interface Tally extends End.Counts {
  readonly disturbances: Partial<Record<Disturbance, number>>
  /** Runs that the API took, requests that were sent again, and those that nobody answered at first. */
  readonly taken: number
  readonly repeated: number
  readonly unanswered: number
  readonly faults: ReadonlyArray<string>
}

/** How a trial goes. */
export interface Trial {
  readonly seed: number
  readonly millis: number
  /** Between two disturbances, milliseconds. */
  readonly pauseMillis: readonly [least: number, most: number]
  /** How long a process is stopped, and how long a link is not open, milliseconds. */
  readonly stopMillis: readonly [least: number, most: number]
  readonly linkMillis: readonly [least: number, most: number]
  readonly say?: (line: string) => void
}

const usual = ["kill", "kill", "stop", "stop", "silent", "severed", "refused", "terminate"] as const

/** How long nothing may come any further when nothing is disturbed any more, milliseconds. */
const patience = 120_000

/** Lets three daemons schedule on one database, disturbs them and it at random, and checks what is left. */
export const trial = async (options: Trial): Promise<Tally> => {
  const { millis, say = () => {}, seed } = options
  const random = dice(seed)
  const between = ([least, most]: readonly [number, number]) => least + random(most - least + 1)
  const root = await Fs.realpath(await Fs.mkdtemp(join(tmpdir(), "daemons chaos ")))
  let server = await Postgres.start(root)
  const place = await Place.machines(root, ["one", "two", "three"], server.port, (port) =>
    Place.urlAt(server.url, port),
  )
  const nodes = place.machines.map((machine) => ({ machine, daemon: Place.daemon(machine), isDisturbed: false }))
  type Node = (typeof nodes)[number]
  const done: Partial<Record<Disturbance, number>> = {}
  const faults: Array<string> = []
  const began = performance.now()
  const tell = (line: string) => say(`${((performance.now() - began) / 1_000).toFixed(1).padStart(6)} s  ${line}`)
  const count = (what: Disturbance) => void (done[what] = (done[what] ?? 0) + 1)
  const until = async (holds: () => boolean, what: string) => {
    for (const since = performance.now(); !holds(); await Bun.sleep(50)) {
      if (performance.now() - since < patience) continue
      faults.push(`${what}: not within ${patience / 1_000} s`)
      return
    }
  }

  const leader = () =>
    nodes
      .filter(({ daemon }) => daemon.leadsSince() !== undefined)
      .toSorted((a, b) => (b.daemon.leadsSince() ?? 0) - (a.daemon.leadsSince() ?? 0))[0]

  /** Three of four times it is the leader that is disturbed. */
  const victim = (): Node | undefined => {
    const free = nodes.filter(({ isDisturbed }) => !isDisturbed)
    const leading = leader()
    const wanted = random(4) < 3 ? leading : undefined
    return wanted !== undefined && !wanted.isDisturbed ? wanted : free[random(Math.max(1, free.length))]
  }

  const disturb = async (node: Node, what: (typeof disturbances)[number], lasts: number) => {
    const { machine } = node
    const isLeader = node === leader()
    count(what)
    node.isDisturbed = true
    tell(`${machine.name}${isLeader ? ", which leads" : ""}: ${what}, ${(lasts / 1_000).toFixed(1)} s`)
    if (what === "kill" || what === "terminate") {
      node.daemon.kill(what === "kill" ? "SIGKILL" : "SIGTERM")
      const code = await node.daemon.exited
      // One that had not begun anything yet ends as every command does that SIGTERM stops.
      const expected = node.daemon.said().includes("dandori daemon, env") ? 0 : 143
      if (what === "terminate" && code !== expected)
        faults.push(`${machine.name} ended with ${code} when it was terminated`)
      await Bun.sleep(Math.min(lasts, 5_000))
      node.daemon = Place.daemon(machine)
    } else if (what === "stop") {
      node.daemon.kill("SIGSTOP")
      await Bun.sleep(lasts)
      node.daemon.kill("SIGCONT")
    } else {
      machine.link.set(what satisfies LinkState)
      await Bun.sleep(lasts)
      machine.link.set("open")
    }
    node.isDisturbed = false
    tell(`${machine.name}: ${what} is over`)
  }

  const restart = async () => {
    const signal = random(2) === 0 ? "SIGKILL" : "SIGINT"
    count("restart of the database")
    tell(`the database: ${signal}`)
    await server.stop(signal)
    await Bun.sleep(random(3_000))
    server = await server.again()
  }

  const token = await Place.dandori(place.machines[0], "token", "create", "trial", "--role", "operator", "--quiet")
  const bearer = /dandori_\S+/.exec(token.out + token.err)?.[0]
  if (bearer === undefined) throw new Error(`there is no token: ${token.out}${token.err}`)
  await until(() => leader() !== undefined, "the first leader")
  const load = Load.begin({ bearer, random: dice(seed + 1), apis: () => nodes.map(({ daemon }) => daemon.api()) })

  const going: Array<Promise<void>> = []
  const firsts = disturbances.slice(0, 3)
  for (const end = performance.now() + millis; ;) {
    await Bun.sleep(between(options.pauseMillis))
    if (performance.now() >= end) break
    if (random(8) === 0) {
      await restart()
      continue
    }
    const node = victim()
    const what = firsts.shift() ?? usual[random(usual.length)]
    const lasts = between(what === "stop" ? options.stopMillis : options.linkMillis)
    if (node !== undefined) going.push(disturb(node, what, lasts))
  }
  await Promise.all(going)
  if (done["restart of the database"] === undefined) await restart()
  tell("nothing is disturbed any more")
  await load.end()
  faults.push(...load.faults)
  await until(() => leader() !== undefined, "a leader after all")
  // Nothing is due any more: a schedule whose file is gone is withdrawn, and what it has begun goes on to its end.
  for (const { folder } of place.machines) {
    for (const { id } of Place.schedules) await Fs.rm(join(folder, `pipelines/${id}.yaml`))
  }
  const left = async () => [...(await End.standing(server.url)), ...(await End.unended(server.url))]
  let fewest = Infinity
  for (let since = performance.now(); ; await Bun.sleep(500)) {
    const open = await left()
    if (open.length === 0) break
    if (open.length < fewest) {
      fewest = open.length
      since = performance.now()
    }
    if (performance.now() - since < patience) continue
    faults.push(`${open.length} schedules and runs do not end: ${open.slice(0, 5).join(", ")}`)
    break
  }
  for (const { daemon, machine } of nodes) {
    daemon.kill("SIGTERM")
    const code = await daemon.exited
    if (code !== 0) faults.push(`${machine.name} ended with ${code}: ${daemon.said().slice(-500)}`)
  }
  const checked = await End.check(server.url, place.work, load.taken, load.cancelled)
  faults.push(...checked.faults)
  for (const { name } of place.machines) {
    const machine = place.machines.find((one) => one.name === name)
    if (machine === undefined) continue
    const verified = await Place.dandori(machine, "ledger", "verify")
    if (verified.code !== 0) faults.push(`ledger verify: ${verified.code} ${verified.out}${verified.err}`)
  }
  await server.stop("SIGINT")
  place.close()
  if (faults.length === 0) await Fs.rm(root, { recursive: true, force: true })
  else say(`kept: ${root}`)
  const { repeated, taken, unanswered } = load
  return { ...checked, disturbances: done, taken: taken.size, repeated: repeated(), unanswered: unanswered(), faults }
}
