import * as Effect from "effect/Effect"
import { generate } from "./src/compiler/pipeline-schema.ts"
import * as Catalog from "./tasks/catalog.ts"
await Bun.write("schema/pipeline.schema.json", await Effect.runPromise(generate.pipe(Effect.provide(Catalog.layer("/nowhere")))))
