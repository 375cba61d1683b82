import * as Effect from "effect/Effect"
import { compileYaml } from "./src/compiler/compile.ts"
import * as YamlDocument from "./src/compiler/yaml-document.ts"
import * as Source from "./src/compiler/source.ts"
import { parseDocument } from "yaml"
import * as Catalog from "./tasks/catalog.ts"
const n = 5000
let text = "version: 1\nid: big\ntasks:\n"
for (let i = 0; i < n; i++) text += `  t${i}:\n    uses: command\n    with: { argv: [echo, "${i}"] }\n` + (i > 0 ? `    needs: [t${i-1}]\n` : "")
let refs = "version: 1\nid: big\nparams: { a: { type: string, default: x } }\ntasks:\n"
for (let i = 0; i < n; i++) refs += `  t${i}:\n    uses: command\n    with: { argv: [echo, "\${{ ${i > 0 ? `tasks.t${i-1}.stdout` : "params.a"} }}"] }\n`
let cel = refs.replace(/stdout \}\}/g, "exitCode + 1 }} x")
for (const [name, t] of [["literal", text], ["literal", text], ["refs", refs], ["cel", cel]]) {
  const s0 = (process.cpuUsage().user/1000); const source = Source.make("big.yaml", t); 
  parseDocument(t, { intAsBigInt: true, uniqueKeys: false, prettyErrors: false }); const s1 = (process.cpuUsage().user/1000)
  YamlDocument.read(source); const s2 = (process.cpuUsage().user/1000)
  const r = await Effect.runPromiseExit(compileYaml(source).pipe(Effect.provide(Catalog.layer("/nowhere"))))
  console.log(name, r._tag, r._tag === "Failure" ? String(r.cause.reasons[0].error?.message ?? r.cause).slice(0,600) : "", "yaml lib", (s1-s0).toFixed(), "read", (s2-s1).toFixed(), "all", ((process.cpuUsage().user/1000)-s2).toFixed())
}
