import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "./canonical-json.ts"
import * as Checksums from "./checksums.ts"
import { preAuthEncoding } from "./receipt.ts"
import * as Sha256 from "./sha256.ts"

const payloadType = "application/vnd.in-toto+json"

/**
 * What a model's signature says (OpenSSF Model Signing 1.0, https://model_signing/signature/v1.0): an in-toto Statement
 * that lists every file of the folder but the signature itself, checksums and receipts included. `ignore_paths` names the
 * signature alone; a file that nobody listed is refused.
 */
const Statement = Schema.Struct({
  _type: Schema.Literal("https://in-toto.io/Statement/v1"),
  subject: Schema.Tuple([Schema.Struct({ name: Schema.String, digest: Schema.Struct({ sha256: Sha256.Sha256 }) })]),
  predicateType: Schema.Literal("https://model_signing/signature/v1.0"),
  predicate: Schema.Struct({
    resources: Schema.Array(
      Schema.Struct({ algorithm: Schema.Literal("sha256"), digest: Sha256.Sha256, name: Schema.String }),
    ),
    serialization: Schema.Struct({
      method: Schema.Literal("files"),
      hash_type: Schema.Literal("sha256"),
      allow_symlinks: Schema.Literal(false),
      ignore_paths: Schema.Tuple([Schema.Literal(Checksums.signatureName)]),
    }),
  }),
})
type Statement = typeof Statement.Type

/** A Sigstore bundle v0.3 with a DSSE envelope, signed by a key that its hint names. */
const Bundle = Schema.Struct({
  mediaType: Schema.Literal("application/vnd.dev.sigstore.bundle.v0.3+json"),
  verificationMaterial: Schema.Struct({ publicKey: Schema.Struct({ hint: Sha256.Sha256 }) }),
  dsseEnvelope: Schema.Struct({
    payload: Schema.String,
    payloadType: Schema.Literal(payloadType),
    signatures: Schema.Tuple([Schema.Struct({ sig: Schema.String })]),
  }),
})

/** What is signed: the payload, and the bytes over which the signature is made (DSSE). */
export interface Payload {
  readonly payload: Uint8Array<ArrayBuffer>
  readonly signed: Uint8Array
}

/** A signature that was taken apart; nothing is verified yet. */
export interface Opened extends Payload {
  /** SHA-256 of the signer's public key in PEM. */
  readonly hint: Sha256.Sha256
  /** ECDSA over SHA-256 in DER. */
  readonly signature: Uint8Array<ArrayBuffer>
  readonly statement: Statement
}

const partsOf = (path: string) => path.split("/")

/** The order of the format's own program: by the parts of the path, so that `a/x` comes before `a.x`. */
const byParts = (x: string, y: string): number => {
  const [a, b] = [partsOf(x), partsOf(y)]
  const at = a.findIndex((part, index) => part !== b[index])
  if (at === -1) return a.length - b.length
  return b[at] === undefined || a[at] > b[at] ? 1 : -1
}

/** The digest of the subject: SHA-256 over the digests of the resources, as bytes, in their order. */
const subjectDigest = (resources: ReadonlyArray<{ readonly digest: string }>) =>
  Sha256.of(new Uint8Array(Buffer.from(resources.map(({ digest }) => digest).join(""), "hex")))

/** What is to be signed for the files of a version; the signature itself is left out. The same files give the same bytes. */
export const payloadOf = (version: string, files: ReadonlyArray<Checksums.FoundFile>): Payload => {
  const resources = files
    .filter(({ path }) => path !== Checksums.signatureName)
    .toSorted((x, y) => byParts(x.path, y.path))
    .map(({ path, sha256 }) => ({ algorithm: "sha256" as const, digest: sha256 as Sha256.Sha256, name: path }))
  const statement: Statement = {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: version, digest: { sha256: subjectDigest(resources) } }],
    predicateType: "https://model_signing/signature/v1.0",
    predicate: {
      resources,
      serialization: {
        method: "files",
        hash_type: "sha256",
        allow_symlinks: false,
        ignore_paths: [Checksums.signatureName],
      },
    },
  }
  const payload = new TextEncoder().encode(CanonicalJson.encode(statement))
  return { payload, signed: preAuthEncoding(payloadType, payload) }
}

/** The text of `model.sig`. */
export const encode = ({ payload }: Payload, hint: Sha256.Sha256, signature: Uint8Array): string =>
  JSON.stringify({
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: { publicKey: { hint }, tlogEntries: [] },
    dsseEnvelope: {
      payload: Buffer.from(payload).toString("base64"),
      payloadType,
      signatures: [{ sig: Buffer.from(signature).toString("base64"), keyid: "" }],
    },
  })

const decodeBundle = Schema.decodeUnknownOption(Schema.fromJsonString(Bundle))
const decodeStatement = Schema.decodeUnknownOption(Schema.fromJsonString(Statement))
const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"))

/** Takes the text of `model.sig` apart; None where it is none, or one that says more than ours do. */
export const open = (text: string): Option.Option<Opened> =>
  Option.flatMap(decodeBundle(text), ({ dsseEnvelope, verificationMaterial }) => {
    const payload = bytesOf(dsseEnvelope.payload)
    return Option.map(decodeStatement(new TextDecoder().decode(payload)), (statement) => ({
      payload,
      signed: preAuthEncoding(payloadType, payload),
      hint: verificationMaterial.publicKey.hint,
      signature: bytesOf(dsseEnvelope.signatures[0].sig),
      statement,
    }))
  })

/** How the files that were found differ from those that were signed; empty when they are exactly those. */
export const verify = (
  { statement }: Pick<Opened, "statement">,
  version: string,
  found: ReadonlyArray<Checksums.FoundFile>,
): ReadonlyArray<Checksums.Difference> => {
  const { resources } = statement.predicate
  const [subject] = statement.subject
  const expected = new Map(resources.map(({ digest, name }) => [name, digest]))
  const reasons: Array<string> = []
  if (subject.name !== version) reasons.push(`${Checksums.signatureName} is of version ${subject.name}`)
  if (expected.size !== resources.length) reasons.push(`${Checksums.signatureName} lists a file twice`)
  if (expected.has(Checksums.signatureName)) reasons.push(`${Checksums.signatureName} lists itself`)
  if (subject.digest.sha256 !== subjectDigest(resources)) {
    reasons.push(`the digest that ${Checksums.signatureName} names is not the digest of what it lists`)
  }
  return [
    ...reasons.map((reason) => ({ kind: "invalid", reason }) as const),
    ...Checksums.compare(
      expected,
      found.filter(({ path }) => path !== Checksums.signatureName),
    ),
  ]
}
