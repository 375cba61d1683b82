import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { RecoverTarget } from "../../../domain/config/evacuation.ts"
import { parseDuration } from "../../../domain/quantity.ts"
import { type RecoveredStart, type RecoverySummary, summaryOf } from "../../../domain/recovered.ts"
import { Attempt } from "../../attempt.ts"
import { table } from "../../process-table.ts"
import { Progress } from "../../progress.ts"
import { Settings } from "../../settings.ts"
import { Workspace } from "../../workspace.ts"
import type { IncidentFolder } from "../incident/incidents.ts"
import * as Facts from "../stop/process-facts.ts"
import * as Pack from "../stop/process-pack.ts"
import * as Readiness from "./readiness.ts"
import * as RecoveredProcess from "./recovered-process.ts"
import * as RecoveryBook from "./recovery-book.ts"
import * as Served from "./served-model.ts"
import * as Signalling from "../stop/signalling.ts"

const usualWithin = "60s"
const killLimitMillis = 30_000

/** Milliseconds until the deadline of the newest call; Infinity where there is none. */
const leftOf = ({ call }: IncidentFolder): Effect.Effect<number> =>
  Effect.map(Clock.currentTimeMillis, (now) => (call.deadline === undefined ? Infinity : call.deadline - now))

/** A start that is under way: where it is in the book, and its process. */
interface Begun extends RecoveredProcess.Running {
  readonly at: number
}

/** The last start of a target, where its process lives. */
const livingOf = (book: RecoveryBook.Book, name: string): Option.Option<Begun> => {
  const { starts } = book.now()
  const at = starts.findLastIndex((start) => start.name === name)
  return Option.map(at < 0 ? Option.none() : RecoveryBook.processOf(starts[at]), ({ row }) => ({
    at,
    row,
    lives: () => Facts.lives(row),
    ended: () => undefined,
  }))
}

/** What a target is to serve, where it names a slot, or why that cannot be told. */
interface Model {
  readonly expected?: Served.Expected
  readonly problem?: string
}

const modelOf = ({ ready: { slot } }: RecoverTarget) =>
  slot === undefined
    ? Effect.succeed<Model>({})
    : Served.expected(slot).pipe(
        Effect.map((expected): Model => ({ expected })),
        Effect.catch(({ message }) => Effect.succeed<Model>({ problem: message })),
      )

/** Starts a target, or says why it was not. */
const begin = Effect.fnUntraced(function* (
  folder: IncidentFolder,
  book: RecoveryBook.Book,
  by: string,
  target: RecoverTarget,
  problem: string | undefined,
) {
  const { name, ready } = target
  const fail = (reason: string) => new Readiness.NotReady({ name, reason, ended: false })
  const start: RecoveredStart = {
    by,
    name,
    began: yield* Clock.currentTimeMillis,
    log: RecoveredProcess.logOf(target),
  }
  const at = yield* book.begin(start)
  const work = Effect.gen(function* () {
    if ((yield* leftOf(folder)) <= 0) return yield* fail("deadline")
    if (problem !== undefined) return yield* fail(problem)
    if (yield* Readiness.answers(ready.url))
      return yield* fail(`somebody answers at ${ready.url} already; stop that first`)
    const running = yield* RecoveredProcess.start(folder, target, (facts) => book.learn(at, facts))
    return { ...running, at } satisfies Begun
  })
  const failed = ({ message }: { readonly message: string }) =>
    Effect.as(book.learn(at, { failed: message }), Option.none<Begun>())
  return yield* Effect.asSome(work).pipe(Effect.catchTags({ NotReady: failed, RecoveryNotStarted: failed }))
})

/** Stops a start that does not do what it is to do; says what of it lives on. */
const stopAgain = Effect.fnUntraced(function* (folder: IncidentFolder, { row }: Begun) {
  const { grace } = (yield* Settings).sections.evacuation
  const leftMillis = Math.max(0, yield* leftOf(folder))
  // Its leader may have ended and left others behind; their session is known by his number until the last of them ends.
  const seeds = () => {
    const rows = table()
    const leader = rows.find(({ pid }) => pid === row.pid)
    if (leader !== undefined && leader.started !== row.started) return []
    return rows
      .filter((each) => each.session === row.pid || each.group === row.pid)
      .map((each) => ({ row: each, why: "" }))
  }
  const pack = Pack.make({ seeds, spares: () => false })
  const survivors = yield* Signalling.stop(pack, {
    graceMillis: Math.min(parseDuration(grace) ?? 0, leftMillis / 4),
    killMillis: Math.min(killLimitMillis, Math.max(1_000, leftMillis / 4)),
    intend: () => Effect.void,
    sent: () => Effect.void,
  })
  return survivors.length === 0
    ? "it was stopped again"
    : `it could not be stopped again: ${survivors.map((left) => `${left.row.pid}: ${left.reason}`).join("; ")}`
})

/** Sees to it that a start is ready, or that it is stopped; false where it had ended by itself. */
const judge = Effect.fnUntraced(function* (
  folder: IncidentFolder,
  book: RecoveryBook.Book,
  target: RecoverTarget,
  begun: Begun,
  { expected, problem }: Model,
) {
  const { name, ready } = target
  const { within = usualWithin } = ready
  const work = Effect.gen(function* () {
    if (problem !== undefined) return yield* new Readiness.NotReady({ name, reason: problem, ended: false })
    if (expected?.note !== undefined) yield* book.learn(begun.at, { note: expected.note })
    const withinMillis = Math.min(parseDuration(within) ?? 0, yield* leftOf(folder))
    yield* Readiness.wait(target, expected, withinMillis, begun)
    yield* Readiness.smoke(target, yield* leftOf(folder))
    if (!begun.lives()) {
      return yield* new Readiness.NotReady({ name, reason: "it ended after its smoke prediction", ended: true })
    }
    yield* book.learn(begun.at, { ready: yield* Clock.currentTimeMillis })
  })
  return yield* Effect.as(work, true).pipe(
    Effect.catch((error) =>
      Effect.gen(function* () {
        const stopped = yield* stopAgain(folder, begun)
        const log = RecoveredProcess.logOf(target)
        yield* book.learn(begun.at, { failed: `${error.message}; ${stopped}; see ${log} of the incident` })
        return !("ended" in error && error.ended)
      }),
    ),
  )
})

/** Brings one target up, if the incident has not done so before. */
const recover = Effect.fnUntraced(function* (
  folder: IncidentFolder,
  book: RecoveryBook.Book,
  by: string,
  target: RecoverTarget,
) {
  const there = livingOf(book, target.name)
  if (Option.isSome(there) && book.now().starts[there.value.at].ready !== undefined) return
  const model = yield* modelOf(target)
  // What ended may have been the shell of a call that was killed before it let the program begin.
  if (Option.isSome(there) && (yield* judge(folder, book, target, there.value, model))) return
  const begun = yield* begin(folder, book, by, target, model.problem)
  if (Option.isSome(begun)) yield* judge(folder, book, target, begun.value, model)
})

/**
 * Brings up what the section names, one after the other: started, ready with the model that it is to serve, and a smoke
 * prediction. Nothing is started twice: a start of this incident that lives counts. What is not ready is stopped again.
 */
export const recoverAll = Effect.fn("Evacuation.recover")(function* (folder: IncidentFolder) {
  const { idempotencyKey } = yield* Attempt
  const progress = yield* Progress
  const { recover: targets } = (yield* Settings).sections.evacuation
  const book = yield* RecoveryBook.open(folder, idempotencyKey)
  const wanted = folder.incident.drill ? [] : targets
  for (const [done, target] of wanted.entries()) {
    yield* progress.report({ done, total: wanted.length, unit: "programs", note: target.name })
    yield* recover(folder, book, idempotencyKey, target)
  }
  return summaryOf(yield* book.finish)
})

/**
 * What became of a recovery whose process died: its summary where it was done. None where something is left to do: a
 * further call goes on with what was started.
 */
export const probe = Effect.fn("Evacuation.probeRecovery")(function* (folder: IncidentFolder) {
  const { idempotencyKey } = yield* Attempt
  const written = Option.getOrUndefined(yield* RecoveryBook.read(folder))
  const isDone = written !== undefined && written.by === idempotencyKey && written.done
  return isDone ? Option.some(summaryOf(written)) : Option.none<RecoverySummary>()
})

/** What `recoverAll` would start, in words. */
export const describe = Effect.gen(function* () {
  const { recover: targets } = (yield* Settings).sections.evacuation
  const { project } = yield* Workspace
  if (targets.length === 0) return "would bring up nothing; the section evacuation names nothing under recover"
  const lines = yield* Effect.forEach(targets, (target) =>
    Effect.gen(function* () {
      const { name, ready, start } = target
      const problem = RecoveredProcess.problemOf(target, project)
      const model = yield* modelOf(target)
      const serving = model.expected?.versions.map(({ version }) => version).join(" or ")
      const within = ready.within ?? usualWithin
      return [
        `${name}: ${start.argv[0]}, ready within ${within} when ${ready.url} answers 200${serving === undefined ? "" : `, serving ${serving}`}`,
        ...[problem, model.problem].flatMap((each) => (each === undefined ? [] : [`  cannot be started: ${each}`])),
      ]
    }),
  )
  return ["would bring up, in this order", ...lines.flat()].join("\n")
})
