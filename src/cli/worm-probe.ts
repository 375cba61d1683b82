import * as Effect from "effect/Effect"
import { ObjectStore } from "../services/object-store.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import { lockMode } from "../services/worm-destination.ts"
import * as WormTrust from "../services/worm-trust.ts"
import { Missing } from "./missing.ts"
import * as ObjectStores from "./object-stores.ts"
import * as Output from "./output.ts"
import { plain } from "./plain-text.ts"
import * as Readers from "./project-readers.ts"
import { root } from "./root.ts"

/** Tries a bucket in the environment's lock mode and says what it was seen to do; fails with `BucketUntrusted`. */
export const probeBucket = Effect.fnUntraced(function* (given: string | undefined) {
  const { json, quiet } = yield* root
  const found = yield* Readers.find
  const { env, sections } = yield* SettingsFiles.load(found.project, found.env)
  const location = given ?? sections.storage.offsite?.worm_location
  if (location === undefined) {
    return yield* new Missing({
      what: `The environment ${env} has no bucket of write-once records`,
      next: "Name one, or set storage.offsite.worm_location",
    })
  }
  const trust = yield* WormTrust.probe(yield* (yield* ObjectStore).open(location), lockMode(env))
  if (json) return yield* Output.json({ v: 1, kind: "worm-probe", ...trust })
  if (quiet) return
  const verdict = Output.green("trusted", Output.colours(process.stdout))
  yield* Output.data(
    [
      `${verdict}  ${plain(trust.location)}  versions, Object Lock in ${trust.mode} mode`,
      `  to remove a locked version: ${trust.removeVersion}; the object: ${trust.remove}; to put bytes over it: ${trust.overwrite}`,
    ].join("\n"),
  )
}, Effect.provide(ObjectStores.layer))
