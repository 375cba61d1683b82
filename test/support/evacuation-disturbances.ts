import * as Fs from "node:fs"
import { join } from "node:path"
import type { Call, Trial } from "./evacuation-trial.ts"
import type { Way, Wire } from "./evacuation-wire.ts"

/** What is disturbed: the process is killed, the network cut, the disk of its records filled. */
export const kinds = ["process", "network", "disk"] as const
export type Kind = (typeof kinds)[number]

/** When: so long after the start, at a byte of what goes through the wire, or so long after the start of a step. */
type When =
  | { readonly millis: number }
  | { readonly byte: number; readonly way: Way }
  | { readonly step: string; readonly millis: number }

/** One disturbance of one call. `forMillis`: how long the network is away or the disk full, until the call's end at most; Infinity: for good. */
export interface Disturbance {
  readonly kind: Kind
  readonly when: When
  /** Of the process or its whole group; of the network; how many bytes the disk keeps free. */
  readonly how: "process" | "group" | "cut" | "away" | "hang" | { readonly free: number }
  readonly forMillis: number
}

/** What an evacuation that nothing disturbs takes. */
export interface Undisturbed {
  readonly millis: number
  readonly up: number
  readonly down: number
  /** In their order, with when each began. */
  readonly steps: ReadonlyArray<{ readonly step: string; readonly millis: number }>
}

type Draw = (below: number) => number

const logUniform = (draw: Draw, least: number, most: number) => least * (most / least) ** (draw(1_000_001) / 1_000_000)

const whenOf = (draw: Draw, { down, millis, steps, up }: Undisturbed): When => {
  switch (draw(4)) {
    case 0:
      return { millis: (draw(1_000_000) / 1_000_000) * millis * 1.1 }
    case 1:
      return { step: steps[draw(steps.length)]?.step ?? "open", millis: logUniform(draw, 0.5, 400) }
    case 2:
      return draw(3) === 0 ? { byte: draw(down), way: "down" } : { byte: draw(up), way: "up" }
    default:
      return { byte: draw(up), way: "up" }
  }
}

/** A disturbance by chance. */
export const draw = (dice: Draw, kind: Kind, undisturbed: Undisturbed): Disturbance => {
  const when = whenOf(dice, undisturbed)
  if (kind === "process") return { kind, when, how: dice(2) === 0 ? "process" : "group", forMillis: 0 }
  if (kind === "disk") {
    const free = dice(3) === 0 ? 0 : dice(2 ** dice(21))
    return { kind, when, how: { free }, forMillis: dice(3) === 0 ? Infinity : logUniform(dice, 5, 9_000) }
  }
  const how = (["cut", "away", "hang"] as const)[dice(3)] ?? "cut"
  return { kind, when, how, forMillis: how === "cut" ? 0 : logUniform(dice, 50, dice(4) === 0 ? 25_000 : 4_000) }
}

const fillerOf = (disk: string) => join(disk, "filler")

/** Fills a disk but for some bytes. */
const fill = (disk: string, free: number) => {
  const { bavail, bsize } = Fs.statfsSync(disk)
  const fd = Fs.openSync(fillerOf(disk), "a")
  let left = bavail * bsize - free
  const zeros = Buffer.alloc(1 << 20)
  try {
    while (left > 0) left -= Fs.writeSync(fd, zeros, 0, Math.min(left, zeros.length))
  } catch {
    // It is as full as it gets: the evacuation wrote meanwhile.
  }
  Fs.closeSync(fd)
}

const free = (disk: string) => Fs.rmSync(fillerOf(disk), { force: true })

/** Carries out a disturbance of a call. `done` hears of it at most once, when it took place. */
export const arm = (
  { forMillis, how, kind, when }: Disturbance,
  { disk }: Trial,
  call: Call,
  wire: Wire,
  done: () => void,
): { readonly onStep: (step: string) => void; readonly end: () => void } => {
  let timers: Array<ReturnType<typeof setTimeout>> = []
  const later = (millis: number, what: () => void) => {
    if (Number.isFinite(millis)) timers.push(setTimeout(what, millis))
  }
  let isOver = false
  const strike = () => {
    if (isOver || call.isOver()) return
    isOver = true
    if (kind === "process") {
      if (!call.kill(how === "group")) return
      // What it had not sent by then the server does not see.
      wire.close()
      wire.open()
      return done()
    }
    if (typeof how === "object") {
      if (disk === undefined) return
      fill(disk, how.free)
      later(forMillis, () => free(disk))
      return done()
    }
    if (how === "hang") wire.hang()
    else wire.close()
    if (how === "cut") wire.open()
    else later(forMillis, wire.open)
    done()
  }
  if ("byte" in when) wire.at(when.byte, when.way, strike)
  else if (!("step" in when)) later(when.millis, strike)
  return {
    onStep: (step) => {
      if ("step" in when && step === when.step) later(when.millis, strike)
    },
    end: () => {
      isOver = true
      timers.forEach(clearTimeout)
      timers = []
      wire.open()
      if (disk !== undefined && Number.isFinite(forMillis)) free(disk)
    },
  }
}
