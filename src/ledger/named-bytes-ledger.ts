import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as ArtifactSweep from "../services/artifact-sweep.ts"
import type { Artifacts } from "../services/artifacts.ts"
import { EvidenceError } from "../services/evidence.ts"
import type { ModelFiles } from "../services/model-files.ts"
import type { ModelRegistry } from "../services/model-registry.ts"
import { type Named, NamedBytes } from "../services/named-bytes.ts"
import type { Settings } from "../services/settings.ts"
import { Workspace } from "../services/workspace.ts"
import * as ArtifactNames from "./artifact-names.ts"
import { Ledger } from "./ledger.ts"
import * as NamingDoubt from "./naming-doubt.ts"

type Needs = Artifacts | FileSystem.FileSystem | Ledger | ModelFiles | ModelRegistry | Settings | Workspace

const find = Effect.fnUntraced(function* (digests: ReadonlySet<string>) {
  const ledger = yield* Ledger
  const { home } = yield* Workspace
  const streams = [...(yield* ledger.testimonies).streams()]
  const doubt = yield* NamingDoubt.find(streams, new Set(yield* ledger.runs))
  if (doubt !== undefined) return { known: false, doubt } satisfies Named
  // Artifacts that are named name bytes too.
  const artifacts = yield* ArtifactSweep.list(join(home, "artifacts"))
  const { doubts, named } = yield* ArtifactNames.find(new Set(artifacts.map(({ sha256 }) => sha256)), digests)
  const [first, ...more] = doubts
  if (first !== undefined) {
    return { known: false, doubt: more.length === 0 ? first : `${first}; and ${more.length} more` } satisfies Named
  }
  return { known: true, named: new Set([...digests].filter((digest) => named.has(digest))) } satisfies Named
})

/** What the ledger, the registry, the models and the artifacts of a home name. */
export const layer: Layer.Layer<NamedBytes, never, Needs> = Layer.effect(
  NamedBytes,
  Effect.gen(function* () {
    const services = yield* Effect.context<Needs>()
    const failed = (cause: { readonly message: string }) => new EvidenceError({ reason: cause.message, cause })
    return NamedBytes.of({
      find: Effect.fn("NamedBytes.find")(find, (effect) =>
        Effect.mapError(Effect.provideContext(effect, services as Context.Context<Needs>), failed),
      ),
    })
  }),
)
