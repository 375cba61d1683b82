import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { formatDuration } from "../../../domain/quantity.ts"
import { type DoomedContainer, type Remaining, summaryOf } from "../../../domain/stopped.ts"
import { Attempt } from "../../attempt.ts"
import { pause } from "../../process-groups.ts"
import { type Row, lookUp } from "../../process-table.ts"
import { Progress } from "../../progress.ts"
import * as Containers from "./containers.ts"
import type { IncidentFolder } from "../incident/incidents.ts"
import * as Facts from "./process-facts.ts"
import * as Pack from "./process-pack.ts"
import * as RecoveryBook from "../recover/recovery-book.ts"
import * as Signalling from "./signalling.ts"
import * as StopBook from "./stop-book.ts"
import * as Targets from "./stop-targets.ts"

/** How often what comes back is stopped again. */
const mostAgain = 3
/** How long it is watched whether somebody starts a target again. */
const watchMillis = 1_000
const watchEveryMillis = 100
const killLimitMillis = 30_000

/** What the stops of one call share. */
interface Call {
  readonly folder: IncidentFolder
  readonly book: StopBook.Book
  readonly targets: ReadonlyArray<Targets.Target>
  readonly spares: (row: Row) => boolean
  /** Those that could not be ended, by `keyOf` or a container's id: they are not tried again. */
  readonly given: Map<string, Remaining>
}

/** Milliseconds until the deadline of the newest call; Infinity where there is none. */
const leftOf = ({ call }: IncidentFolder): Effect.Effect<number> =>
  Effect.map(Clock.currentTimeMillis, (now) => (call.deadline === undefined ? Infinity : call.deadline - now))

/** The graces of all targets together take at most half of the time that is left. */
const graceOf = (graceMillis: number, leftMillis: number, targets: number): number =>
  Math.max(0, Math.min(graceMillis, leftMillis / (4 * targets)))

/** What lives of a target now, those that were given up left out. */
const seen = Effect.fnUntraced(function* ({ book, given, spares }: Call, target: Targets.Target) {
  const sought = yield* target.find
  const before = StopBook.leftOf(book.now(), target.name)
  const pack = Pack.make({
    seeds: () => [...before, ...sought.seek.seeds()].filter(({ row }) => !given.has(Pack.keyOf(row))),
    spares,
    ignores: (row) => given.has(Pack.keyOf(row)) || sought.seek.ignores?.(row) === true,
  })
  const members = pack.look()
  const containers = sought.containers.filter(({ id }) => !given.has(id))
  return { ...sought, pack, members, containers, isThere: members.length + containers.length > 0 }
})
type Seen = Effect.Success<ReturnType<typeof seen>>

const giveUp =
  ({ given }: Call, { containers, members }: Pick<Seen, "containers" | "members">) =>
  (target: string, reasonOf: (row: Row) => string, reason: string): void => {
    for (const { row } of members) given.set(Pack.keyOf(row), { target, pid: row.pid, reason: reasonOf(row) })
    for (const { id, name } of containers) given.set(id, { target, container: name, reason })
  }

const stopContainer = (
  { given }: Call,
  target: string,
  container: DoomedContainer,
  limits: Parameters<typeof Containers.stop>[1],
) => {
  const remains = (reason: string) =>
    Effect.sync(() => void given.set(container.id, { target, container: container.name, reason }))
  return Containers.isOurs(container)
    ? remains("this evacuation runs in it")
    : Effect.catch(Effect.asVoid(Containers.stop(container, limits)), (error) => remains(error.message))
}

/** Stops what is seen of a target. What could not be ended is given up. */
const stop = Effect.fnUntraced(function* (call: Call, { name }: Targets.Target, now: Seen) {
  const { book, folder, given, targets } = call
  const { containers, members, pack } = now
  const give = giveUp(call, now)
  const leftMillis = yield* leftOf(folder)
  if (leftMillis <= 0) return give(name, () => "deadline", "deadline")
  const graceMillis = graceOf(now.graceMillis, leftMillis, targets.length)
  const at = yield* book.begin(name, containers)
  const before = new Set(given.keys())
  const stopping = Effect.gen(function* () {
    yield* book.intend(at, members)
    yield* Effect.forEach(
      containers,
      (container) => stopContainer(call, name, container, { graceMillis, limitMillis: leftMillis / 2 }),
      {
        concurrency: 8,
      },
    )
    const survivors = yield* Signalling.stop(pack, {
      graceMillis,
      killMillis: Math.min(killLimitMillis, Math.max(watchMillis, leftMillis / 2)),
      intend: (all) => book.intend(at, all),
      sent: (signal, pids) => book.sent(at, signal, pids),
    })
    for (const { reason, row } of survivors) given.set(Pack.keyOf(row), { target: name, pid: row.pid, reason })
  })
  yield* Effect.catch(stopping, ({ message }) =>
    Effect.sync(() => {
      const reason = `it got no signal, because that could not be written down before: ${message}`
      give(name, () => reason, reason)
    }),
  )
  const remaining = [...given].flatMap(([key, each]) => (before.has(key) ? [] : [each]))
  yield* book.end(at, remaining)
})

/** True as soon as something of a target is there; false where nothing was for a while. */
const comesBack = Effect.fnUntraced(function* (call: Call) {
  const until = performance.now() + Math.min(watchMillis, Math.max(0, (yield* leftOf(call.folder)) / 4))
  for (;;) {
    for (const target of call.targets) if ((yield* seen(call, target)).isThere) return true
    if (performance.now() >= until) return false
    yield* pause(watchEveryMillis)
  }
})

const startedBy = ({ parent }: Row): string =>
  parent === 1 ? "it was started again; stop the service or timer that does it" : starterOf(parent)

const starterOf = (parent: number): string =>
  `it was started again by ${Facts.programOf(parent)} (${parent}${lookUp(parent) === undefined ? ", ended" : ""}); stop that first`

/** What still runs, and what could not be asked. */
const remainingOf = Effect.fnUntraced(function* (call: Call) {
  const problems: Array<Remaining> = []
  for (const target of call.targets) {
    const now = yield* seen(call, target)
    problems.push(...now.problems.map((reason) => ({ target: target.name, reason })))
    const isOver = (yield* leftOf(call.folder)) <= 0
    giveUp(call, now)(
      target.name,
      (row) => (isOver ? "deadline" : startedBy(row)),
      isOver ? "deadline" : "it was started again; stop what does it first",
    )
  }
  const isThere = ([key, { pid }]: [string, Remaining]) =>
    pid === undefined || Facts.lives({ pid, started: key.slice(key.indexOf(":") + 1) })
  return [...problems, ...[...call.given].filter(isThere).map(([, remaining]) => remaining)]
})

/** What a drill does: looks, and writes down what it would have stopped. */
const list = Effect.fnUntraced(function* (call: Call) {
  for (const target of call.targets) {
    const now = yield* seen(call, target)
    if (now.isThere) yield* call.book.list(target.name, now.containers, now.members)
  }
})

/** Whether a process is one that the incident has brought up, with all that is its own. */
const broughtUp = Effect.fnUntraced(function* (folder: IncidentFolder) {
  const leaders = yield* RecoveryBook.living(folder)
  const all = Pack.make({ seeds: () => leaders, spares: () => false }).look()
  const keys = new Set(all.map(({ row }) => Pack.keyOf(row)))
  return (row: Row) => keys.has(Pack.keyOf(row))
})

const begin = Effect.fnUntraced(function* (folder: IncidentFolder, by: string, run: string) {
  const book = yield* StopBook.open(folder, by)
  const targets = yield* Targets.all(run)
  return { folder, book, targets, spares: yield* broughtUp(folder), given: new Map() } satisfies Call as Call
})

/**
 * Stops what an evacuation stops: Dandori's own runs, then the targets in their order, each confirmed before the next one.
 * What comes back is stopped again, at most three times. Not what the incident itself has brought up. Called again it goes
 * on where it was killed.
 */
export const stopAll = Effect.fn("Evacuation.stop")(function* (folder: IncidentFolder) {
  const { idempotencyKey, run } = yield* Attempt
  const progress = yield* Progress
  const call = yield* begin(folder, idempotencyKey, run)
  const near = (yield* Effect.forEach(call.targets, ({ find }) => find)).flatMap((found) => found.near)
  if (folder.incident.drill) yield* list(call)
  for (let again = 0; again <= mostAgain && !folder.incident.drill; again++) {
    let isAny = false
    for (const [done, target] of call.targets.entries()) {
      yield* progress.report({ done, total: call.targets.length, unit: "targets", note: target.name })
      const now = yield* seen(call, target)
      if (now.isThere) yield* stop(call, target, now)
      else yield* call.book.close(target.name)
      isAny ||= now.isThere
    }
    if (!isAny || !(yield* comesBack(call))) break
  }
  const remaining = folder.incident.drill ? [] : yield* remainingOf(call)
  return summaryOf(yield* call.book.finish(near, remaining))
})

/**
 * What became of a stop whose process died: its summary where that was written down. None where it was not: a further call
 * goes on with it, sees that nothing comes back, and writes it down.
 */
export const probe = Effect.fn("Evacuation.probeStop")(function* (folder: IncidentFolder) {
  const { idempotencyKey } = yield* Attempt
  return (yield* StopBook.read(folder)).pipe(
    Option.filter(({ by, done }) => done && by === idempotencyKey),
    Option.map(summaryOf),
  )
})

/**
 * What runs of the targets though a stop had ended it: somebody has started it again since. Not what the incident itself
 * has brought up, nor what the stop could not end; of a process with its children, it alone.
 */
export const startedAgain = Effect.fn("Evacuation.startedAgain")(function* (folder: IncidentFolder) {
  const { idempotencyKey, run } = yield* Attempt
  const written = Option.getOrUndefined(yield* StopBook.read(folder))
  if (written === undefined || !written.done || written.drill) return []
  const call = yield* begin(folder, idempotencyKey, run)
  for (const target of call.targets) {
    const { containers, members } = yield* seen(call, target)
    const pids = new Set(members.map(({ row }) => row.pid))
    const first = members.filter(({ row }) => !pids.has(row.parent))
    giveUp(call, { containers, members: first })(target.name, startedBy, "it was started again")
  }
  const remained = new Set(written.remaining.map(({ container, pid }) => container ?? pid))
  return [...call.given.values()].filter(({ container, pid }) => !remained.has(container ?? pid))
})

/** What `stopAll` would stop, in words. */
export const describe = Effect.fn("Evacuation.describeStop")(function* (folder: Option.Option<IncidentFolder>) {
  const spares = Option.isSome(folder) ? yield* broughtUp(folder.value) : () => false
  const lines = yield* Effect.forEach(yield* Targets.all(undefined), (target) =>
    Effect.map(target.find, ({ containers, graceMillis, near, problems, seek }) => {
      const members = Pack.make({ ...seek, spares }).look()
      const grace = formatDuration(Math.round(graceMillis))
      const count = members.length + containers.length
      return [
        count === 0
          ? `${target.name}: nothing runs`
          : `${target.name}: SIGINT, after ${grace} SIGTERM, after ${grace} SIGKILL to`,
        ...members.map(({ row, why }) => `  ${row.pid} ${Facts.programOf(row.pid)}: ${why}`),
        ...containers.map(({ name, socket }) => `  container ${name}, by ${socket}`),
        ...near.map(({ pid, reason }) => `  not ${pid} ${Facts.programOf(pid)}: ${reason}`),
        ...problems.map((problem) => `  ${problem}`),
      ]
    }),
  )
  return ["would stop, in this order", ...lines.flat()].join("\n")
})
