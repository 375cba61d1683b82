import * as Effect from "effect/Effect"
import { compileYaml } from "../compiler/compile.ts"
import * as Source from "../compiler/source.ts"
import type { TargetKind, VerifyMode } from "../services/snapshot-manifest.ts"
import * as Catalog from "../../tasks/catalog.ts"
import * as Project from "./project.ts"
import { startRun } from "./run-pipeline.ts"

/** What to take, where to, and how to prove it. */
interface Asked {
  readonly target: ReadonlyArray<Exclude<TargetKind, "tree">>
  readonly tree: ReadonlyArray<string>
  readonly destination: string | undefined
  readonly verify: VerifyMode
}

const everything: ReadonlyArray<TargetKind> = ["registry", "ledger", "models", "worm", "postgres", "redis"]

/** The pipeline, and the params that carry what the user wrote: no word of it is read as an expression. */
const pipelineOf = ({ destination, target, tree, verify }: Asked) => {
  const isAll = target.length + tree.length === 0
  const words = {
    ...(destination === undefined ? {} : { destination }),
    ...Object.fromEntries(tree.map((path, index) => [`tree_${index}`, path])),
  }
  const targets = [
    ...(isAll ? everything.map((kind) => ({ kind, ifThere: true })) : target.map((kind) => ({ kind }))),
    ...tree.map((_, index) => ({ kind: "tree", path: `\${{ params.tree_${index} }}` })),
  ]
  const to = destination === undefined ? {} : { destination: "${{ params.destination }}" }
  const definition = {
    version: 1,
    id: "snapshot-create",
    params: Object.fromEntries(Object.keys(words).map((name) => [name, { type: "string" }])),
    tasks: { snapshot: { uses: "snapshot", with: { targets, verify, ...to } } },
  }
  return { definition, params: words }
}

/** Takes a snapshot by a run of a pipeline of one task, so that the ledger testifies to it; ends with the run's exit code. */
export const createSnapshot = Effect.fnUntraced(function* (asked: Asked) {
  const { project } = yield* Project.find
  const { definition, params } = pipelineOf(asked)
  // JSON is YAML.
  const source = Source.make("snapshot create", JSON.stringify(definition))
  const { plan } = yield* compileYaml(source).pipe(Effect.provide(Catalog.layer(project)))
  yield* startRun({ plan, params }, false)
}, Effect.scoped)
