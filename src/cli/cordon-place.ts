import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type { DatabaseSection } from "../domain/config/database.ts"
import type { Sections } from "../domain/config/sections.ts"
import * as CordonsConfigured from "../services/cordons-configured.ts"
import * as LedgerPlace from "./ledger-place.ts"

const embedded = /^backend:\s*embedded\s*(#.*)?$/m

/** The database that a project's configuration shares cordons in. It is read as a whole only where it may name one. */
const shared = Effect.fnUntraced(function* ({ env, project }: LedgerPlace.Place) {
  const fs = yield* FileSystem.FileSystem
  const read = (...path: ReadonlyArray<string>) =>
    Effect.orElseSucceed(fs.readFileString(join(project, "configs", ...path)), () => "")
  const texts = (name: string) => Effect.all([read("base", name), read("envs", env, name)])
  const ledger = yield* texts("ledger.yaml")
  const [base, over] = yield* texts("database.yaml")
  const isEmbedded = embedded.test(over) || (!over.includes("backend") && (base === "" || embedded.test(base)))
  if (isEmbedded && !ledger.some((text) => /^[^#\n]*postgres/m.test(text))) return undefined
  const { load } = yield* Effect.promise(() => import("../services/settings-files.ts"))
  return CordonsConfigured.sharedIn((yield* load(project, env)).sections)
})

const on = ({ home, project }: LedgerPlace.Place, section: DatabaseSection | undefined) =>
  Effect.map(
    Effect.promise(() => import("../services/secrets.ts")),
    ({ layer: secrets }) => Layer.provide(CordonsConfigured.layer(home, section), secrets({ project })),
  )

/** The cordons that a run with these sections honours: those of whoever shares its ledger, or its registry. */
export const layerOf = (place: LedgerPlace.Place, sections: Sections) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const ledger = yield* LedgerPlace.database(place)
      return yield* on(place, ledger ?? CordonsConfigured.sharedIn(sections))
    }),
  )

/**
 * The cordons of a project where its configuration says that they are. Where that cannot be read, those of its home, and it
 * counts as raised what else there may be.
 */
export const layer = (place: LedgerPlace.Place) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const section = yield* Effect.result(shared(place))
      if (Result.isSuccess(section)) return yield* on(place, section.success)
      const { layerUnseen } = yield* Effect.promise(() => import("../services/cordons-postgres.ts"))
      return layerUnseen(join(place.home, "cordons"), section.failure.message.replace(/\s*\n\s*/g, " "))
    }),
  )
