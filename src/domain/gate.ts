import * as Schema from "effect/Schema"
import { Artifact } from "./artifact.ts"
import { Sha256 } from "./sha256.ts"

/** The verdict of a gate. WARNED lets through unless the policy of the consumer is strict. */
export const Verdict = Schema.Literals(["PASSED", "WARNED", "FAILED"]).annotate({ identifier: "Verdict" })
export type Verdict = typeof Verdict.Type

/** What a gate task says of the bytes it judged; the ledger event and the receipt are made from it. */
export const GateResult = Schema.Struct({
  verdict: Verdict,
  subjects: Schema.Array(Schema.Struct({ name: Schema.String, sha256: Sha256 })),
  policy: Schema.Struct({ name: Schema.String, sha256: Sha256 }),
  reasons: Schema.Array(Schema.String).annotate({ description: "why it warned or failed; empty when it passed" }),
  reports: Schema.Array(Artifact),
}).annotate({ identifier: "GateResult" })
export type GateResult = typeof GateResult.Type
