import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as CanonicalJson from "../../src/domain/canonical-json.ts"
import * as Resume from "../../src/engine/resume.ts"
import * as Checkpoint from "../../src/ledger/checkpoint.ts"
import { Ledger } from "../../src/ledger/ledger.ts"
import * as StreamName from "../../src/ledger/stream-name.ts"
import { inPlace } from "../../src/testing/run-pipeline.ts"
import * as Place from "../../src/testing/place.ts"
import * as Catalog from "../../tasks/catalog.ts"
import { version } from "../../package.json"
import { cases, types } from "./cases.ts"
import { replay } from "./replay.ts"

/**
 * Records the golden ledgers of this version, which every later one must replay: `bun test/golden/record.ts` writes
 * `test/golden/<version>/`, once. What a release has promised is not recorded anew: it refuses where a set is there.
 */
const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "")
const folder = join(root, "test", "golden", version)

const pretty = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

const keep = Effect.fnUntraced(function* (name: string, run: string) {
  const { plan } = yield* Resume.recall(run)
  const { entries } = yield* (yield* Ledger).read(StreamName.ofRun(run))
  yield* Effect.promise(async () => {
    await Fs.writeFile(join(folder, "plans", `${name}.json`), CanonicalJson.encode(plan))
    await Fs.writeFile(join(folder, "states", `${name}.json`), pretty({ run, ...replay(plan, entries) }))
  })
})

const record = Effect.gen(function* () {
  const place = yield* Place.make(root)
  const tasks = Object.fromEntries(types.map((type) => [type.type, type]))
  yield* Effect.gen(function* () {
    for (const part of ["plans", "states"]) {
      yield* Effect.promise(() => Fs.mkdir(join(folder, part), { recursive: true }))
    }
    for (const [name, play] of Object.entries(cases)) yield* keep(name, yield* Effect.scoped(play(place)))
    yield* Checkpoint.make()
  }).pipe(Effect.provide(Place.services(place, Catalog.layer(place.project), { tasks })), inPlace(place))
  yield* Effect.promise(() => Fs.cp(join(place.home, "ledger"), join(folder, "ledger"), { recursive: true }))
  yield* Effect.promise(async () => {
    for (const file of await Fs.readdir(folder, { recursive: true, withFileTypes: true })) {
      if (file.name.endsWith(".lock")) await Fs.rm(join(file.parentPath, file.name))
    }
  })
}).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

const there = await Fs.stat(folder).catch(() => undefined)
if (there !== undefined) {
  process.stderr.write(
    `${folder} is there already. The ledgers of a release stay as they are; raise the version first\n`,
  )
  process.exit(73)
}
await Effect.runPromise(record)
process.stderr.write(`recorded ${Object.keys(cases).length} runs in ${folder}\n`)
