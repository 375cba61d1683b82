/** Writes the synthetic sample pair to `samples/data/`: `bun samples/generate.ts`. The same seed writes the same bytes. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { synthetic } from "../src/market/synthetic.ts"
import * as SamplePair from "./sample-pair.ts"

const folder = new URL("data/", import.meta.url).pathname

const generate = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const series = synthetic(SamplePair.spec)
  yield* files.makeDirectory(folder, { recursive: true })
  for (const bars of series) {
    const text = [SamplePair.header, ...SamplePair.lines(bars), ""].join("\n")
    yield* files.writeFileString(`${folder}${SamplePair.fileName(bars)}`, text)
  }
  yield* files.writeFileString(`${folder}synthetic.json`, `${JSON.stringify(SamplePair.meta(series), null, 2)}\n`)
})

Effect.runPromise(Effect.provide(generate, NodeServices.layer))
