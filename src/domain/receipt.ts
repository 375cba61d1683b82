import * as Schema from "effect/Schema"
import { Verdict } from "./gate.ts"
import { EnvironmentName } from "./names.ts"
import { Sha256 } from "./sha256.ts"

/** in-toto Statement v1 (https://in-toto.io/Statement/v1) with the Test Result v0.1 predicate and our facts beside. */
export const Statement = Schema.Struct({
  _type: Schema.Literal("https://in-toto.io/Statement/v1"),
  subject: Schema.Array(Schema.Struct({ name: Schema.String, digest: Schema.Struct({ sha256: Sha256 }) })),
  predicateType: Schema.Literal("https://in-toto.io/attestation/test-result/v0.1"),
  predicate: Schema.Struct({
    result: Verdict,
    configuration: Schema.Array(Schema.Struct({ name: Schema.String, digest: Schema.Struct({ sha256: Sha256 }) })),
    dandori: Schema.Struct({
      gate: Schema.String.annotate({ description: "the task type that judged" }),
      env: EnvironmentName,
      plan: Sha256,
      run: Schema.String,
      task: Schema.String,
      event: Sha256.annotate({ description: "entry hash of the gate event in the run's stream" }),
      sequence: Schema.Int,
    }),
  }),
})
export type Statement = typeof Statement.Type

/** DSSE envelope (https://github.com/secure-systems-lab/dsse) around a statement; signatures are Ed25519. */
export const Envelope = Schema.Struct({
  payloadType: Schema.Literal("application/vnd.in-toto+json"),
  payload: Schema.String.annotate({ description: "base64 of the statement's canonical JSON" }),
  signatures: Schema.Array(Schema.Struct({ keyid: Schema.String, sig: Schema.String })),
})
export type Envelope = typeof Envelope.Type

/** DSSE pre-authentication encoding: the bytes that are signed. */
export const preAuthEncoding = (payloadType: string, payload: Uint8Array): Uint8Array => {
  const head = new TextEncoder().encode(
    `DSSEv1 ${new TextEncoder().encode(payloadType).length} ${payloadType} ${payload.length} `,
  )
  const out = new Uint8Array(head.length + payload.length)
  out.set(head)
  out.set(payload, head.length)
  return out
}
