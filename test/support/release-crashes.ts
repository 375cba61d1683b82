import { dice } from "./engine-interpreter.ts"
import { type Place, type ServerName, serverNames } from "./release-place.ts"
import * as Sample from "./sample-project.ts"

/** What is to happen while a call goes on: to its process group, or to a server. */
export interface Crash {
  /** After the start of the so manieth attempt that the call makes; 0: after its own start. */
  readonly attempt: number
  readonly millis: number
  readonly what: "kill" | ServerName
  readonly signal: "SIGINT" | "SIGKILL"
  /** How long a server stays away. */
  readonly awayMillis: number
}

/** What the crashes came to. */
export interface Crashed {
  total: number
  kills: number
  /** Stops and kills of servers, each of both by `name signal`. */
  readonly servers: Record<string, number>
  /** In which tasks, `start` before the first of a call, `approve` while somebody agrees. */
  readonly hits: Record<string, number>
}

const logUniform = (draw: (below: number) => number, least: number, most: number) =>
  least * (most / least) ** (draw(1_000_001) / 1_000_000)

const maker =
  (draw: (below: number) => number, kinds: ReadonlyArray<Crash["what"]>) =>
  (attempts: number): Crash => {
    const attempt = draw(attempts + 2) === 0 ? 0 : 1 + draw(Math.max(attempts, 1))
    const what = kinds[draw(kinds.length)] ?? "kill"
    return {
      attempt: attempts === 0 ? 0 : attempt,
      millis: attempt === 0 || attempts === 0 ? logUniform(draw, 50, 3_000) : logUniform(draw, 1, 800),
      what,
      signal: draw(2) === 0 ? "SIGINT" : "SIGKILL",
      awayMillis: logUniform(draw, 200, 3_000),
    }
  }

/** Of what crashes are made: kills of the process, or of servers as often, most of the one that holds the registry. */
export const usual: ReadonlyArray<Crash["what"]> = ["postgres", ...serverNames, "kill", "kill", "kill", "kill"]

/** The kinds of crashes that have these names. */
export const kindsOf = (names: ReadonlyArray<string>): ReadonlyArray<Crash["what"]> =>
  [...new Set(usual)].filter((kind) => names.includes(kind))

/** Makes what crashes processes and servers of a place, by chance from a seed. */
export const make = (place: Place, seed: number, kinds: ReadonlyArray<Crash["what"]>, most: number) => {
  const draw = dice(seed)
  const plan = maker(draw, kinds)
  const crashed: Crashed = { total: 0, kills: 0, servers: {}, hits: {} }
  const outages = new Map<ServerName, Promise<void>>()
  const broken: Array<unknown> = []
  let left = most

  const takeAway = (name: ServerName, { awayMillis, signal }: Crash) => {
    const outage = async () => {
      await place.servers[name].stop(signal)
      await Bun.sleep(awayMillis)
      place.servers[name] = await place.servers[name].again()
      outages.delete(name)
    }
    outages.set(
      name,
      outage().catch((cause: unknown) => void broken.push(cause)),
    )
  }

  /** Waits until every server is there again. */
  const settled = async () => {
    await Promise.all(outages.values())
    if (broken.length > 0) throw new Error("a server did not start again", { cause: broken[0] })
  }

  /** Kills a call's process group; false when it has ended by itself. */
  const killGroup = (pid: number): boolean => {
    try {
      return process.kill(-pid, "SIGKILL")
    } catch {
      return false
    }
  }

  /** Carries one crash out, unless the call is over or the server is away already. */
  const carryOut = (crash: Crash, pid: number, where: string): boolean => {
    if (crash.what !== "kill" && outages.has(crash.what)) return false
    const isKill = crash.what === "kill"
    if (crash.what !== "kill") takeAway(crash.what, crash)
    else if (!killGroup(pid)) return false
    crashed.total++
    if (isKill) crashed.kills++
    else crashed.servers[`${crash.what} ${crash.signal}`] = (crashed.servers[`${crash.what} ${crash.signal}`] ?? 0) + 1
    crashed.hits[where] = (crashed.hits[where] ?? 0) + 1
    return true
  }

  /** Calls the command line, whose attempts are at most so many, with up to two crashes meanwhile. */
  const call = async (args: ReadonlyArray<string>, attempts: number, patienceMillis: number) => {
    const spared = attempts === 0 ? draw(3) > 0 : draw(10) === 0
    const wanted = spared ? 0 : draw(4) === 0 ? 2 : 1
    const crashes = Array.from({ length: Math.min(wanted, Math.max(left, 0)) }, () => plan(attempts))
    const running = new Set<string>()
    let started = 0
    let ended = false
    let where = args.includes("approve") ? "approve" : "start"
    const timers: Array<ReturnType<typeof setTimeout>> = []
    const begin = (attempt: number) => {
      for (const crash of crashes.filter((each) => each.attempt === attempt)) {
        timers.push(
          setTimeout(() => {
            if (!ended && carryOut(crash, child.pid, [...running].join("+") || where)) left--
          }, crash.millis),
        )
      }
    }
    const onLine = (line: string) => {
      if (!line.startsWith("{")) return
      const { data, type = "" } = JSON.parse(line)
      if (type === "dev.dandori.attempt.started.v1") {
        running.add(data.task)
        begin(++started)
      } else if (/^dev\.dandori\.attempt\.\w+\.v1$/.test(type)) {
        running.delete(data.task)
        where = `after ${data.task}`
      } else if (type === "dev.dandori.run.finished.v1") where = "end"
    }
    const child = Sample.start(place.project, args, { before: ["setsid"], onLine })
    begin(0)
    const patience = setTimeout(() => killGroup(child.pid), patienceMillis)
    const began = performance.now()
    const said = await child.said
    ended = true
    clearTimeout(patience)
    timers.forEach(clearTimeout)
    await settled()
    return { ...said, isStuck: performance.now() - began >= patienceMillis }
  }

  return { call, draw, crashed, left: () => left, settled }
}

export type Crashes = ReturnType<typeof make>
