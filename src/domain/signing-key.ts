import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "./canonical-json.ts"
import { Envelope, preAuthEncoding } from "./receipt.ts"
import { Sha256 } from "./sha256.ts"

const payloadType = "application/vnd.in-toto+json"

/** Says that a public key signs the models of this ledger: an in-toto Statement about the key's PEM file. */
const Statement = Schema.Struct({
  _type: Schema.Literal("https://in-toto.io/Statement/v1"),
  subject: Schema.Tuple([
    Schema.Struct({ name: Schema.Literal("model-signing.pub"), digest: Schema.Struct({ sha256: Sha256 }) }),
  ]),
  predicateType: Schema.Literal("https://dandori.dev/attestation/model-signing-key/v1"),
  predicate: Schema.Struct({}),
})

/** The bytes of the statement about the key whose PEM has this digest. */
export const payloadOf = (hint: Sha256): Uint8Array<ArrayBuffer> =>
  new TextEncoder().encode(
    CanonicalJson.encode({
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ name: "model-signing.pub", digest: { sha256: hint } }],
      predicateType: "https://dandori.dev/attestation/model-signing-key/v1",
      predicate: {},
    } satisfies typeof Statement.Type),
  )

/** The bytes that the ledger's key signs (DSSE). */
export const signedOf = (payload: Uint8Array): Uint8Array => preAuthEncoding(payloadType, payload)

/** The text of the DSSE envelope. */
export const encode = (payload: Uint8Array, keyid: string, signature: Uint8Array): string => {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64")
  return CanonicalJson.encode({
    payloadType,
    payload: base64(payload),
    signatures: [{ keyid, sig: base64(signature) }],
  } satisfies Envelope)
}

const decodeEnvelope = Schema.decodeUnknownOption(Schema.fromJsonString(Envelope))
const decodeStatement = Schema.decodeUnknownOption(Schema.fromJsonString(Statement))

/** What an envelope says: the digest of the key's PEM, what was signed, and the signatures. None where it is none. */
export const open = (text: string) =>
  Option.flatMap(decodeEnvelope(text), ({ payload: base64, signatures }) => {
    const payload = new Uint8Array(Buffer.from(base64, "base64"))
    return Option.map(decodeStatement(new TextDecoder().decode(payload)), ({ subject: [{ digest }] }) => ({
      hint: digest.sha256,
      signed: signedOf(payload),
      signatures: signatures.map(({ sig }) => new Uint8Array(Buffer.from(sig, "base64"))),
    }))
  })
