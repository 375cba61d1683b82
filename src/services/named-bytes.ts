import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { EvidenceError } from "./evidence.ts"

/** Which of some digests are named; or why that cannot be told: then it is to be taken that all of them are. */
export type Named =
  | { readonly known: true; readonly named: ReadonlySet<string> }
  | { readonly known: false; readonly doubt: string }

/** What bytes are still wanted for, as far as they are named by their digests. */
export class NamedBytes extends Context.Service<
  NamedBytes,
  {
    /**
     * Which of these SHA-256 digests something names: a run that is there, a deployment, a schedule, a model whose files are
     * there, a receipt, or an artifact that one of them names.
     */
    readonly find: (digests: ReadonlySet<string>) => Effect.Effect<Named, EvidenceError>
  }
>()("dandori/services/NamedBytes") {}
