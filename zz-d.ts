import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { compileFile } from "./src/compiler/compile-file.ts"
import * as Plan from "./src/domain/plan.ts"
import { CompileProgram } from "./src/services/compile-child.ts"
import * as Catalog from "./tasks/catalog.ts"
const t = performance.now()
const r = await Effect.runPromiseExit(compileFile(process.argv[2]).pipe(Effect.provide(Catalog.layer(process.argv[3] ?? "/work/main")), Effect.timeout(60000)))
if (r._tag === "Success") console.log(JSON.stringify(r.value.plan, null, 1).slice(0, 3000), Plan.digest(r.value.plan)); else console.log(r.cause.reasons[0].error?.message ?? r.cause)
console.log(performance.now() - t)
