import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { RowsUnseen } from "./cordon-looks.ts"
import * as CordonRows from "./cordon-rows-postgres.ts"
import { Cordons } from "./cordons.ts"
import * as CordonsShared from "./cordons-shared.ts"
import * as Postgres from "./postgres.ts"
import { pause } from "./process-groups.ts"
import { SchemaTooNew } from "./sql-migrations.ts"

/** Which database holds the cordons, and the folder of the project's own. */
export interface Options {
  readonly root: string
  readonly database: Postgres.PostgresOptions
}

/** How long it is waited for connections to be closed, milliseconds; a silent server would take longer. */
const closingMillis = 500

/** A scope whose end is not waited for much longer than it takes when all is well. */
const hasty = Effect.acquireRelease(Scope.make(), (scope) =>
  Effect.gen(function* () {
    const closing = yield* Effect.forkDetach(Scope.close(scope, Exit.void))
    yield* Effect.raceFirst(Fiber.await(closing), pause(closingMillis))
  }),
)

const make = Effect.fnUntraced(function* ({ database, root }: Options) {
  const { timeoutMillis } = database
  const scope = yield* hasty
  const options = { ...database, pool: { min: 1, max: 2 }, statementTimeoutMillis: timeoutMillis }
  const rows = CordonRows.make(yield* Scope.provide(Postgres.open(options), scope))
  /** Begins and ends of transactions do not let themselves be interrupted: they are left to themselves. */
  const apart = <A, E>(effect: Effect.Effect<A, E>) =>
    Effect.flatMap(Effect.forkIn(effect, scope), (fiber) =>
      Effect.onInterrupt(Fiber.join(fiber), () => Effect.forkDetach(Fiber.interrupt(fiber))),
    )
  const within = <A, E>(effect: Effect.Effect<A, E | SqlError | SchemaTooNew>) =>
    apart(effect).pipe(
      Effect.mapError((error) =>
        isSqlError(error) || error instanceof SchemaTooNew
          ? new RowsUnseen({ reason: error.message })
          : (error as Exclude<E, SqlError | SchemaTooNew>),
      ),
      Effect.timeoutOrElse({
        duration: timeoutMillis,
        orElse: () =>
          Effect.fail(
            new RowsUnseen({
              reason: `PostgreSQL did not answer within ${timeoutMillis} ms; check that it runs and can be reached from here`,
            }),
          ),
      }),
    )
  return yield* CordonsShared.make(root, {
    timeoutMillis,
    look: (ids) => within(rows.look(ids)),
    raise: (id, choose) => within(rows.raise(id, choose)),
    lift: (id) => within(rows.lift(id)),
  })
})

/** Cordons of a folder, and of all who use the same database. */
export const layer = (options: Options): Layer.Layer<Cordons> => Layer.effect(Cordons, make(options))

/** Cordons of a folder, where it cannot be known which database has others: that counts as raised. */
export const layerUnseen = (root: string, reason: string): Layer.Layer<Cordons> => {
  const unseen = Effect.fail(new RowsUnseen({ reason }))
  return Layer.effect(
    Cordons,
    CordonsShared.make(root, { timeoutMillis: 1_000, look: () => unseen, raise: () => unseen, lift: () => unseen }),
  )
}
