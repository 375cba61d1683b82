import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type Cordon, holds, isUnreadable } from "../domain/cordon.ts"
import type { Event } from "../domain/event.ts"
import { PipelineId } from "../domain/names.ts"
import { parseDuration } from "../domain/quantity.ts"
import * as CordonBook from "../ledger/cordon-book.ts"
import { Cordons } from "../services/cordons.ts"
import * as WorkspaceFiles from "../services/workspace-files.ts"
import * as CordonPlace from "./cordon-place.ts"
import * as ExitCode from "./exit-code.ts"
import * as Hint from "./hint.ts"
import * as Output from "./output.ts"
import * as Project from "./project.ts"
import { dateTime } from "./render/duration.ts"
import { clean } from "./render/line.ts"
import { who } from "./who.ts"

/** A cordon in words. */
export const describe = (cordon: Cordon): string => {
  const { expires, id, owner, raised, reason, scope } = cordon
  if (isUnreadable(cordon)) return `${clean(id)}  ${clean(reason)}`
  return [
    `${clean(id)}  raised ${dateTime(raised)} by ${clean(owner)}: ${clean(reason)}`,
    ...(scope === undefined ? [] : [`  only ${scope.join(", ")}`]),
    ...(expires === undefined ? [] : [`  until ${dateTime(expires)}`]),
  ].join("\n")
}

/** Puts what happened into the `system` stream, and says where that fails. */
const testify = (event: Event) =>
  Effect.gen(function* () {
    const { env, home, project } = yield* Project.find
    const recording = CordonBook.record(event).pipe(Effect.provide(Project.ledgerLayer({ project, home, env })))
    const why = yield* CordonBook.unrecorded(recording)
    if (why !== undefined) yield* Output.message(`It could not be recorded in the ledger: ${why}`)
  })

const isPipelineId = Schema.is(PipelineId)
const longestMillis = 3_650 * 86_400_000

/** What a person says of a cordon that is raised. */
export interface RaiseRequest {
  readonly id: string | undefined
  readonly reason: string
  readonly scope: ReadonlyArray<string>
  readonly expires: string | undefined
}

/** Raises a cordon: nothing new starts in the project, or in the named pipelines, until it is lifted or expires. */
export const raise = Effect.fnUntraced(function* (request: RaiseRequest) {
  const place = yield* Project.find
  const { flags, home } = place
  const now = yield* Clock.currentTimeMillis
  const lasts = request.expires === undefined ? undefined : parseDuration(request.expires)
  if (request.expires !== undefined && lasts === undefined) {
    return yield* new Output.UsageError({ reason: `--expires ${request.expires}: a duration with a unit, like 4h` })
  }
  const id = request.id ?? CordonBook.nameAt(now)
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(id)) {
    return yield* new Output.UsageError({ reason: `"${id}" is no plain name: letters, digits, '.', '-', '_'` })
  }
  const odd = request.scope.find((pipeline) => !isPipelineId(pipeline))
  if (odd !== undefined) {
    return yield* new Output.UsageError({ reason: `--pipeline "${odd}" is no id of a pipeline, like nightly` })
  }
  if (lasts !== undefined && !(lasts > 0 && lasts <= longestMillis)) {
    return yield* new Output.UsageError({ reason: `--expires ${request.expires}: more than 0, and at most 3650d` })
  }
  yield* WorkspaceFiles.makeHome(home)
  const cordon = yield* Effect.flatMap(Cordons, (cordons) =>
    cordons.raise({
      id,
      owner: who(),
      reason: request.reason,
      ...(request.scope.length === 0 ? {} : { scope: request.scope }),
      ...(lasts === undefined ? {} : { expires: now + lasts }),
    }),
  ).pipe(Effect.provide(CordonPlace.layer(place)))
  if (cordon.degraded !== undefined) yield* Output.message(`degraded: ${cordon.degraded}`)
  yield* testify(CordonBook.raised(cordon))
  if (flags.json) return yield* Output.json({ v: 1, kind: "cordon", ...cordon })
  yield* Output.data(
    `${describe(cordon)}\nNothing new starts. To let it: ${(yield* Hint.here).either(`cordon lift ${id}`)}`,
  )
})

/** Lifts a cordon. */
export const lift = Effect.fnUntraced(function* (id: string, reason: string) {
  const place = yield* Project.find
  const cordon = yield* Effect.flatMap(Cordons, (cordons) => cordons.lift(id)).pipe(
    Effect.provide(CordonPlace.layer(place)),
  )
  yield* testify(CordonBook.lifted(cordon, reason))
  if (place.flags.json) return yield* Output.json({ v: 1, kind: "lifted", cordon: id })
  yield* Output.data(`${id} is lifted.`)
})

const lookFor = Effect.fnUntraced(function* (pipeline: string | undefined, wait: boolean) {
  const cordons = yield* Cordons
  const look = Effect.gen(function* () {
    const all = yield* cordons.list
    const now = yield* Clock.currentTimeMillis
    return all.find((cordon) => holds(cordon, now, pipeline === undefined ? undefined : { pipeline }))
  })
  let found = yield* look
  if (wait && found !== undefined) yield* Output.message(`Waiting: ${describe(found)}`)
  while (wait && found !== undefined) {
    yield* Effect.sleep(500)
    found = yield* look
  }
  return found
})

/** Says whether work may start: exit 0, or 75 while a cordon is raised. With `wait` it stays until there is none. */
export const check = Effect.fnUntraced(function* (pipeline: string | undefined, wait: boolean) {
  const place = yield* Project.find
  const found = yield* Effect.provide(lookFor(pipeline, wait), CordonPlace.layer(place))
  if (place.flags.json) yield* Output.json({ v: 1, kind: "check", raised: found !== undefined, cordon: found ?? null })
  else yield* Output.data(found === undefined ? "No cordon is raised." : describe(found))
  yield* Output.exitWith(found === undefined ? ExitCode.exitCodes.ok : ExitCode.exitCodes.temporary)
})
