import type { PlanTask } from "../domain/plan.ts"
import { type Safeguard, type Weakness, pairedGates } from "./safeguard.ts"
import { isFields, same } from "./value-diff.ts"

type Fields = Readonly<Record<string, unknown>>

/** The programs that a gate runs, by name. */
const checksOf = ({ with: { checks } }: PlanTask): ReadonlyMap<string, Fields> =>
  new Map((Array.isArray(checks) ? checks.filter(isFields) : []).map((check) => [String(check.name), check]))

/** Where a check is weaker: gone, only a warning, or another program, which may be weaker or not. */
const weaker = (place: string, was: Fields, now: Fields | undefined): ReadonlyArray<Weakness> => {
  if (now === undefined) return [{ place, old: was }]
  const severity =
    was.severity !== "warn" && now.severity === "warn"
      ? [{ place: `${place}.severity`, old: was.severity ?? "error", new: "warn" }]
      : []
  const argv = same(was.argv, now.argv) ? [] : [{ place: `${place}.argv`, old: was.argv, new: now.argv }]
  return [...severity, ...argv]
}

/** The rule about the programs that a gate runs: its input lists them as `checks`. */
export const releaseSafeguards: ReadonlyArray<Safeguard> = [
  {
    name: "release-checks",
    why: "the gate asks less of the code",
    find: (old, next) =>
      pairedGates(old, next).flatMap(({ was, task }) => {
        const now = checksOf(task)
        return [...checksOf(was)].flatMap(([name, check]) =>
          weaker(`tasks.${task.id}.with.checks.${name}`, check, now.get(name)),
        )
      }),
  },
]
