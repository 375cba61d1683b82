import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Sha256 from "../domain/sha256.ts"

/** A text is not the key that it should be. */
export class KeyUnreadable extends Schema.TaggedError<KeyUnreadable>()("KeyUnreadable", {
  label: Schema.Literals(["PUBLIC KEY", "PRIVATE KEY"]),
  reason: Schema.String,
}) {
  override get message() {
    return `This is no Ed25519 ${this.label.toLowerCase()} in PEM: ${this.reason}. It begins with -----BEGIN ${this.label}-----`
  }
}

/** An Ed25519 public key. `keyid` is the SHA-256 of its SubjectPublicKeyInfo (RFC 8410), `raw` its 32 bytes. */
export interface PublicKey {
  readonly keyid: Sha256.Sha256
  readonly pem: string
  readonly raw: Uint8Array<ArrayBuffer>
  readonly key: CryptoKey
}

/** An Ed25519 private key with the public key that belongs to it. */
export interface PrivateKey {
  /** PKCS#8 in PEM. */
  readonly pem: string
  readonly publicKey: PublicKey
  /** The 64 bytes of the signature (RFC 8032) over `bytes`. */
  readonly sign: (bytes: Uint8Array) => Effect.Effect<Uint8Array>
}

type Label = KeyUnreadable["label"]

/** PEM (RFC 7468) of DER bytes. */
const encodePem = (label: Label, der: ArrayBuffer): string => {
  const lines = Buffer.from(der).toString("base64").replace(/.{64}/g, "$&\n").trimEnd()
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}

const decodePem = (label: Label, pem: string): Effect.Effect<Uint8Array<ArrayBuffer>, KeyUnreadable> => {
  const match = new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]+)-----END ${label}-----`).exec(pem)
  return match
    ? Effect.succeed(new Uint8Array(Buffer.from(match[1] ?? "", "base64")))
    : Effect.fail(new KeyUnreadable({ label, reason: "the BEGIN or END line is missing" }))
}

const unreadable = (label: Label) => (cause: unknown) =>
  new KeyUnreadable({ label, reason: cause instanceof Error ? cause.message : String(cause) })

const ofCryptoKey = async (key: CryptoKey): Promise<PublicKey> => {
  const der = await crypto.subtle.exportKey("spki", key)
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", key))
  return { keyid: Sha256.of(new Uint8Array(der)), pem: encodePem("PUBLIC KEY", der), raw, key }
}

/** Reads a public key: SubjectPublicKeyInfo in PEM. */
export const publicKey = (pem: string): Effect.Effect<PublicKey, KeyUnreadable> =>
  Effect.flatMap(decodePem("PUBLIC KEY", pem), (der) =>
    Effect.tryPromise({
      try: () => crypto.subtle.importKey("spki", der, "Ed25519", true, ["verify"]).then(ofCryptoKey),
      catch: unreadable("PUBLIC KEY"),
    }),
  )

const withPublic = async (pem: string, key: CryptoKey): Promise<PrivateKey> => {
  const { x = "" } = await crypto.subtle.exportKey("jwk", key)
  const raw = new Uint8Array(Buffer.from(x, "base64url"))
  const half = await crypto.subtle.importKey("raw", raw, "Ed25519", true, ["verify"])
  const publicKey = await ofCryptoKey(half)
  return {
    pem,
    publicKey,
    sign: (bytes) =>
      Effect.promise(async () => new Uint8Array(await crypto.subtle.sign("Ed25519", key, new Uint8Array(bytes)))),
  }
}

/** Reads a private key: PKCS#8 in PEM. */
export const privateKey = (pem: string): Effect.Effect<PrivateKey, KeyUnreadable> =>
  Effect.flatMap(decodePem("PRIVATE KEY", pem), (der) =>
    Effect.tryPromise({
      try: () => crypto.subtle.importKey("pkcs8", der, "Ed25519", true, ["sign"]).then((key) => withPublic(pem, key)),
      catch: unreadable("PRIVATE KEY"),
    }),
  )

/** Makes a key pair from the platform's secure random source. */
export const generate: Effect.Effect<PrivateKey> = Effect.promise(async () => {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair
  const pem = encodePem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", pair.privateKey))
  return withPublic(pem, pair.privateKey)
})

/** True when `signature` is the key's over `bytes`. */
export const verify = (key: PublicKey, bytes: Uint8Array, signature: Uint8Array): Effect.Effect<boolean> =>
  Effect.promise(() =>
    signature.length === 64
      ? crypto.subtle.verify("Ed25519", key.key, new Uint8Array(signature), new Uint8Array(bytes))
      : Promise.resolve(false),
  )
