import * as Effect from "effect/Effect"
import type { StopSignal } from "../../../domain/stopped.ts"
import { LifeSign } from "../../life-sign.ts"
import { Hurry, pause } from "../../process-groups.ts"
import type { Row } from "../../process-table.ts"
import * as Users from "../../users.ts"
import * as Facts from "./process-facts.ts"
import { keyOf, type Member, type Pack } from "./process-pack.ts"

/** How a pack is stopped. */
export interface Manner<E, R> {
  /** Between SIGINT and SIGTERM, and between SIGTERM and SIGKILL. */
  readonly graceMillis: number
  /** How long SIGKILL may take. */
  readonly killMillis: number
  /** Called with everybody who lives before somebody of them gets his first signal, and whenever others come up. */
  readonly intend: (members: ReadonlyArray<Member>) => Effect.Effect<void, E, R>
  /** Called with those who got a signal. */
  readonly sent: (signal: StopSignal, pids: ReadonlyArray<number>) => Effect.Effect<void, E, R>
}

/** Somebody who could not be ended, and why. */
export interface Survivor {
  readonly row: Row
  readonly reason: string
}

const pollMillis = 20
const lookMillis = 250

/** Whether a signal got to the process of this number and start time; it is looked at once more right before. */
const send = (row: Row, signal: StopSignal): "sent" | "gone" | "refused" => {
  if (!Facts.lives(row)) return "gone"
  try {
    process.kill(row.pid, signal)
    return "sent"
  } catch (cause) {
    return cause instanceof Error && "code" in cause && cause.code === "EPERM" ? "refused" : "gone"
  }
}

const whyLeft = (row: Row, refused: boolean): string => {
  if (refused) {
    const user = Facts.userOf(row.pid)
    const whose = user === undefined ? "another user" : Users.nameOf(user)
    return `it is of ${whose}, and this user may not signal it; run this as root or as ${whose}`
  }
  return Facts.stateOf(row.pid) === "D"
    ? "SIGKILL was sent, and the kernel does not end it: it waits for a disk or the network (state D); look at its mounts"
    : "SIGKILL was sent, and it had not ended yet"
}

/**
 * Stops a pack: SIGINT, grace, SIGTERM, grace, SIGKILL, each member by its own number. Ends when nobody of it lives any
 * more, or with those who are left. `Hurry` ends the graces.
 */
export const stop = Effect.fn("Evacuation.signal")(function* <E, R>(pack: Pack, manner: Manner<E, R>) {
  const hurry = yield* Hurry
  const alive = yield* LifeSign
  const intended = new Set<string>()
  const refused = new Set<string>()
  let left: ReadonlyArray<Member> = []
  for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
    const limit = signal === "SIGKILL" ? manner.killMillis : manner.graceMillis
    const until = performance.now() + limit
    const asked = new Set<string>()
    for (;;) {
      alive()
      left = pack.look()
      if (left.length === 0) return []
      if (left.some(({ row }) => !intended.has(keyOf(row)))) {
        yield* manner.intend(left)
        for (const { row } of left) intended.add(keyOf(row))
      }
      const results = left
        .filter(({ row }) => !asked.has(keyOf(row)))
        .map(({ row }) => ({ row, result: send(row, signal) }))
      for (const { row, result } of results) {
        asked.add(keyOf(row))
        if (result === "refused") refused.add(keyOf(row))
      }
      const reached = results.filter(({ result }) => result === "sent").map(({ row }) => row.pid)
      if (reached.length > 0) yield* manner.sent(signal, reached)
      if (left.every(({ row }) => refused.has(keyOf(row)))) break
      const isOver = () => performance.now() >= until || (signal !== "SIGKILL" && hurry.isOpen())
      const lookAgain = performance.now() + lookMillis
      while (!isOver() && performance.now() < lookAgain && pack.anyLives()) {
        yield* Effect.raceFirst(
          pause(Math.min(pollMillis, Math.max(1, until - performance.now()))),
          signal === "SIGKILL" ? Effect.never : hurry.await,
        )
      }
      if (isOver()) break
    }
  }
  left = pack.look()
  return left.map(({ row }): Survivor => ({ row, reason: whyLeft(row, refused.has(keyOf(row))) }))
})
