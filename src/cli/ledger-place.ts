import { hostname } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type { DatabaseSection } from "../domain/config/database.ts"
import { Bookmarks, inFolder } from "../services/bookmarks.ts"
import { who } from "./who.ts"

/** A project, its home, and the environment that a command is for. */
export interface Place {
  readonly project: string
  readonly home: string
  readonly env: string
}

const flushIntervalMillis = 1_000

/**
 * The database that holds the project's ledger; undefined where segment files do. The whole configuration is read only
 * where its files of the ledger's section name a database.
 */
export const database = Effect.fnUntraced(function* ({ env, project }: Place) {
  const fs = yield* FileSystem.FileSystem
  const files = [join(project, "configs/base/ledger.yaml"), join(project, "configs/envs", env, "ledger.yaml")]
  const texts = yield* Effect.forEach(files, (file) => Effect.orElseSucceed(fs.readFileString(file), () => ""))
  if (!texts.some((text) => /^[^#\n]*postgres/m.test(text))) return undefined
  const { load } = yield* Effect.promise(() => import("../services/settings-files.ts"))
  const { sections } = yield* load(project, env)
  return sections.ledger.store === "postgres" ? sections.database : undefined
})

const inDatabase = Effect.fnUntraced(function* (place: Place, section: DatabaseSection) {
  const [LedgerPostgres, LeaseWaits, Postgres, SecretsFiles] = yield* Effect.promise(() =>
    Promise.all([
      import("../ledger/ledger-postgres.ts"),
      import("../services/lease-waits.ts"),
      import("../services/postgres.ts"),
      import("../services/secrets.ts"),
    ]),
  )
  const ledger = Layer.unwrap(
    Effect.map(SecretsFiles.Secrets, (secrets) =>
      LedgerPostgres.layer({
        database: Postgres.optionsOf(section, secrets),
        author: { source: `dandori://${place.env}/${hostname()}`, authid: who(), authtype: "user" },
        flushIntervalMillis,
      }),
    ),
  )
  const waits = Layer.effect(
    LeaseWaits.SharedWaits,
    Effect.gen(function* () {
      const options = Postgres.optionsOf(section, yield* SecretsFiles.Secrets)
      return LeaseWaits.inDatabase(yield* Postgres.open(options), place.home)
    }),
  )
  return Layer.provide(Layer.merge(ledger, waits), SecretsFiles.layer({ project: place.project }))
})

const ledgerOf = (place: Place) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const section = yield* database(place)
      if (section !== undefined) return yield* inDatabase(place, section)
      const { layer: segments } = yield* Effect.promise(() => import("../ledger/ledger-segments.ts"))
      return segments({
        folder: join(place.home, "ledger"),
        author: { source: `dandori://${place.env}/${hostname()}`, authid: who(), authtype: "user" },
        flushIntervalMillis,
      })
    }),
  )

/** The ledger of a project where its configuration says that it is, with the bookmarks of whoever has read it. */
export const layer = (place: Place) =>
  Layer.merge(ledgerOf(place), Layer.succeed(Bookmarks, inFolder(join(place.home, "bookmarks"))))
