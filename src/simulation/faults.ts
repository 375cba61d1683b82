import { didYouMean } from "../domain/suggest.ts"

/** What a fault is, and how often it comes if nobody says: a probability, each time that it could. */
const kinds = {
  "task-fails": { rate: 0.12, what: "an attempt ends with an error" },
  "task-hangs": { rate: 0.03, what: "an attempt never ends by itself" },
  "gate-fails": { rate: 0.15, what: "a gate says FAILED" },
  "probe-fails": { rate: 0.2, what: "the probe of a once task cannot say what happened" },
  "process-dies": { rate: 0.004, what: "the process is killed, or the machine loses power, at an event" },
  "disk-full": { rate: 0.003, what: "a write to the ledger fails" },
  "slow-disk": { rate: 0.02, what: "a flush takes seconds" },
  "clock-steps": { rate: 0.01, what: "the wall clock jumps, by up to a day either way" },
  cancel: { rate: 0.1, what: "somebody cancels the run" },
} as const

/** The name of a fault. */
export type Fault = keyof typeof kinds

/** Probabilities by fault. */
export type Faults = Readonly<Record<Fault, number>>

export const names = Object.keys(kinds) as ReadonlyArray<Fault>

const each = (rate: (name: Fault) => number): Faults =>
  Object.fromEntries(names.map((name) => [name, rate(name)])) as Record<Fault, number>

/** Some of everything. */
export const mix: Faults = each((name) => kinds[name].rate)

export const none: Faults = each(() => 0)

/** The faults with what they do, a line each. */
export const described: ReadonlyArray<string> = names.map((name) => `${name}: ${kinds[name].what}`)

/**
 * The probabilities that `NAME`, `NAME=RATE` and `none` amount to: nothing named is the mix; a name without a rate
 * comes five times as often as in the mix. Text says what is wrong.
 */
export const read = (given: ReadonlyArray<string>): Faults | string => {
  if (given.length === 0) return mix
  const faults: Record<Fault, number> = { ...none }
  for (const text of given) {
    if (text === "none") continue
    const [name, rate] = text.split("=", 2) as [Fault, string | undefined]
    if (!names.includes(name)) return `${name} is no fault.${didYouMean(name, names)} Known: none, ${names.join(", ")}`
    const value = rate === undefined ? Math.min(1, kinds[name].rate * 5) : Number(rate)
    if (rate === "" || !(value >= 0 && value <= 1)) {
      return `The rate of ${name} is a probability from 0 to 1, not ${rate}`
    }
    faults[name] = value
  }
  return faults
}
