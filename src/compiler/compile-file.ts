import * as Effect from "effect/Effect"
import * as PipelineFile from "../services/pipeline-file.ts"
import { compileYaml } from "./compile.ts"
import * as Source from "./source.ts"
import { compileTypeScript } from "./typescript.ts"

/** Compiles a pipeline file by its ending: `.yaml`, `.yml` or `.ts`. Messages name it as `file` does. */
export const compileFile = Effect.fn("Compiler.compileFile")(function* (file: string) {
  if (!/\.(ya?ml|ts)$/.test(file)) {
    return yield* new PipelineFile.PipelineMissing({ file, reason: "a pipeline is a .yaml, .yml or .ts file" })
  }
  const { text, path } = yield* PipelineFile.read(file)
  const source = Source.make(file, text.replace(/^\uFEFF/, ""))
  return yield* file.endsWith(".ts") ? compileTypeScript(source, path) : compileYaml(source)
})
