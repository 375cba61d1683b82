import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { RowsUnseen } from "./cordon-looks.ts"
import * as CordonRows from "./cordon-rows-postgres.ts"
import { Cordons } from "./cordons.ts"
import * as CordonsShared from "./cordons-shared.ts"
import * as Postgres from "./postgres.ts"
import { SchemaTooNew } from "./sql-migrations.ts"

/** Which database holds the cordons, and the folder of the project's own. */
export interface Options {
  readonly root: string
  readonly database: Postgres.PostgresOptions
}

const make = Effect.fnUntraced(function* ({ database, root }: Options) {
  const { timeoutMillis } = database
  const rows = CordonRows.make(
    yield* Postgres.open({ ...database, pool: { min: 1, max: 2 }, statementTimeoutMillis: timeoutMillis }),
  )
  const within = <A, E>(effect: Effect.Effect<A, E | SqlError | SchemaTooNew>) =>
    effect.pipe(
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
