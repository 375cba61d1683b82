import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { holds } from "../../domain/cordon.ts"
import { type RaiseRequest, describe } from "../cordons.ts"
import * as ExitCode from "../exit-code.ts"
import * as Hint from "../hint.ts"
import * as Output from "../output.ts"
import * as Client from "./daemon-client.ts"

/** Between two looks at a cordon that is waited for, milliseconds. */
const lookMillis = 2_000

interface Beside {
  readonly degraded?: string
  readonly unrecorded?: string
}

const tell = Effect.fnUntraced(function* ({ degraded, unrecorded }: Beside) {
  if (degraded !== undefined) yield* Output.message(`degraded: ${degraded}`)
  if (unrecorded !== undefined) yield* Output.message(`It could not be recorded in the ledger: ${unrecorded}`)
})

/** Raises a cordon at a daemon: nothing new starts there, or in the named pipelines, until it is lifted or expires. */
export const raise = Effect.fnUntraced(function* ({ expires, id, reason, scope }: RaiseRequest) {
  const { daemon, flags } = yield* Client.find
  const payload = {
    reason,
    ...(id === undefined ? {} : { id }),
    ...(scope.length === 0 ? {} : { scope }),
    ...(expires === undefined ? {} : { expires }),
  }
  const { unrecorded, ...cordon } = yield* daemon.ask((api) => api.cordons.raise({ payload }))
  yield* tell({ ...cordon, ...(unrecorded === undefined ? {} : { unrecorded }) })
  if (flags.json) return yield* Output.json({ v: 1, kind: "cordon", ...cordon })
  yield* Output.data(
    `${describe(cordon)}\nNothing new starts. To let it: ${(yield* Hint.here).either(`cordon lift ${cordon.id}`)}`,
  )
})

/** Lifts a cordon of a daemon. */
export const lift = Effect.fnUntraced(function* (id: string, reason: string) {
  const { daemon, flags } = yield* Client.find
  yield* tell(yield* daemon.ask((api) => api.cordons.lift({ params: { cordon: id }, payload: { reason } })))
  if (flags.json) return yield* Output.json({ v: 1, kind: "lifted", cordon: id })
  yield* Output.data(`${id} is lifted.`)
})

/** Says whether work may start at a daemon: exit 0, or 75 while a cordon is raised. With `wait` it stays until there is none. */
export const check = Effect.fnUntraced(function* (pipeline: string | undefined, wait: boolean) {
  const { daemon, flags } = yield* Client.find
  const look = Effect.gen(function* () {
    const { cordons } = yield* daemon.ask((api) => api.cordons.list())
    const now = yield* Clock.currentTimeMillis
    return cordons.find((cordon) => holds(cordon, now, pipeline === undefined ? undefined : { pipeline }))
  })
  let found = yield* look
  if (wait && found !== undefined) yield* Output.message(`Waiting: ${describe(found)}`)
  while (wait && found !== undefined) {
    yield* Effect.sleep(lookMillis)
    found = yield* look
  }
  if (flags.json) yield* Output.json({ v: 1, kind: "check", raised: found !== undefined, cordon: found ?? null })
  else yield* Output.data(found === undefined ? "No cordon is raised." : describe(found))
  yield* Output.exitWith(found === undefined ? ExitCode.exitCodes.ok : ExitCode.exitCodes.temporary)
})
