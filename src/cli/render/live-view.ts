import * as Output from "../output.ts"
import * as Standard from "../standard-streams.ts"
import { type Terminal, frame } from "./live-frame.ts"
import type { RunFacts } from "../../engine/run-facts.ts"

/** Time between two pictures, milliseconds. */
const interval = 100

/** The part of `log-update` that is used. */
interface Screen {
  (text: string): void
  readonly persist: (text: string) => void
  readonly done: () => void
}

/** A picture of a run on standard error that is drawn again and again until it is stopped. */
export interface LiveView {
  /** Writes a line above the picture. */
  readonly say: (text: string) => void
  readonly stop: () => void
}

const columns = (): number => Math.max(20, process.stderr.columns ?? 80)
const rows = (): number => Math.max(6, process.stderr.rows ?? 24)

/** What is drawn at a time, at most as high and as wide as the terminal. */
export type Picture = (now: number, terminal: Terminal) => string

/** Draws a picture until stopped; the last one stays on the screen. */
export const draw = (picture: Picture, screen: Screen, clock: () => number): LiveView => {
  const colours = Output.colours(process.stderr)
  const again = () => screen(picture(clock(), { columns: columns() - 1, rows: rows(), colours }))
  const timer = setInterval(again, interval)
  again()
  let stopped = false
  return {
    say: (text) => {
      if (stopped) return Standard.write(2, `${text}\n`)
      screen.persist(text)
      again()
    },
    stop: () => {
      if (stopped) return
      stopped = true
      clearInterval(timer)
      again()
      screen.done()
    },
  }
}

/** Draws a run until stopped. */
export const start = (facts: RunFacts, screen: Screen, clock: () => number): LiveView =>
  draw((now, terminal) => frame(facts, now, terminal), screen, clock)
