import * as Effect from "effect/Effect"
import { compileFile } from "../compiler/compile-file.ts"
import * as CanonicalJson from "../domain/canonical-json.ts"
import { of } from "../domain/sha256.ts"
import * as Compiling from "./compiling.ts"
import { locate } from "./pipeline-files.ts"
import { shownPath } from "./pipeline-validate.ts"
import * as ProjectReaders from "./project-readers.ts"
import * as Output from "./output.ts"

/** The plan of a pipeline that a person named by path or by id. */
export const planOf = Effect.fnUntraced(function* (name: string) {
  const { env, project } = yield* ProjectReaders.find
  const file = shownPath(yield* locate(project, name))
  const { plan } = yield* compileFile(file).pipe(Effect.provide(Compiling.layer(project, env)))
  return plan
})

/** Prints the plan as canonical JSON, byte for byte what its digest is of (and a newline), or only the digest. */
export const printPlan = Effect.fnUntraced(function* (name: string, onlyDigest: boolean) {
  const plan = yield* planOf(name)
  const text = CanonicalJson.encode(plan)
  const { flags } = yield* ProjectReaders.find
  if (onlyDigest && flags.json) {
    return yield* Output.json({ v: 1, kind: "digest", pipeline: plan.id, digest: of(text) })
  }
  if (onlyDigest) return yield* Output.data(of(text))
  yield* Output.data(text)
  if (!flags.quiet) yield* Output.message(`sha256:${of(text)}`)
})
