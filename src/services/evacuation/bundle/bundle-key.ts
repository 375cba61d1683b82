import type { KeyObject } from "node:crypto"
import * as Fs from "node:fs/promises"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { SignedBy } from "../../../domain/bundle.ts"
import * as Sha256 from "../../../domain/sha256.ts"
import * as Durable from "../../durable-files.ts"
import { Incidents, type IncidentFolder } from "../incident/incidents.ts"

/** A key that signs bundles. */
export interface BundleKey {
  readonly signedBy: SignedBy
  /** The public key in PEM (SubjectPublicKeyInfo). */
  readonly pem: string
  /** Ed25519 signature (64 bytes, RFC 8032). */
  readonly sign: (bytes: Uint8Array) => Effect.Effect<Uint8Array>
}

const crypto = Effect.promise(() => import("node:crypto"))
const publicPem = (key: KeyObject) => key.export({ type: "spki", format: "pem" }).toString()

/** The id of a public key: SHA-256 of its SubjectPublicKeyInfo; undefined where the PEM is of no Ed25519 key. */
export const keyidOf = (pem: string): Effect.Effect<Sha256.Sha256 | undefined> =>
  Effect.flatMap(crypto, ({ createPublicKey }) =>
    Effect.try(() => {
      const key = createPublicKey(pem)
      return key.asymmetricKeyType === "ed25519" ? Sha256.of(key.export({ type: "spki", format: "der" })) : undefined
    }).pipe(Effect.orElseSucceed(() => undefined)),
  )

/** True when the signature over the bytes is by the key. */
export const holds = (pem: string, bytes: Uint8Array, signature: Uint8Array): Effect.Effect<boolean> =>
  Effect.flatMap(crypto, ({ createPublicKey, verify }) =>
    Effect.try(() => signature.length === 64 && verify(null, bytes, createPublicKey(pem), signature)).pipe(
      Effect.orElseSucceed(() => false),
    ),
  )

/** The key of a private key in PEM (PKCS#8); none where it is no Ed25519 key. */
const ofPrivate = (text: string, key: SignedBy["key"]): Effect.Effect<Option.Option<BundleKey>> =>
  Effect.flatMap(crypto, ({ createPrivateKey, createPublicKey, sign }) =>
    Effect.try((): BundleKey | undefined => {
      const secret = createPrivateKey(text)
      const open = createPublicKey(secret)
      if (secret.asymmetricKeyType !== "ed25519") return undefined
      return {
        signedBy: { keyid: Sha256.of(open.export({ type: "spki", format: "der" })), key },
        pem: publicPem(open),
        sign: (bytes) => Effect.sync(() => new Uint8Array(sign(null, bytes, secret))),
      }
    }).pipe(
      Effect.map(Option.fromUndefinedOr),
      Effect.orElseSucceed(() => Option.none()),
    ),
  )

const read = (path: string) => Durable.attempt("read", path, () => Fs.readFile(path, "utf8"))

const ofFile = (path: string, key: SignedBy["key"]) =>
  read(path).pipe(
    Effect.flatMap((text) => ofPrivate(text, key)),
    Effect.orElseSucceed(() => Option.none<BundleKey>()),
  )

/** The ledger's key as it lies in a project's home; none where it is not there or cannot be used. */
export const ofHome = (home: string) => ofFile(join(home, "keys", "ledger.key"), "ledger")

/** A new private key in PEM. */
const newPem = Effect.map(crypto, ({ generateKeyPairSync }) =>
  generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
)

/** A key for one bundle, whose private half is kept nowhere. */
export const once: Effect.Effect<BundleKey> = newPem.pipe(
  Effect.flatMap((pem) => ofPrivate(pem, "bundle")),
  Effect.flatMap(Effect.fromOption),
  Effect.orDie,
)

const incidentKey = ({ path }: IncidentFolder): string => join(path, "keys", "bundle.key")

/** Makes the incident's own key. */
const makeOfIncident = Effect.fnUntraced(function* (folder: IncidentFolder) {
  const file = incidentKey(folder)
  yield* Durable.makeFolderDurably(dirname(file), { mode: 0o700 })
  const pem = yield* newPem
  const made = yield* Effect.orDie(Effect.flatMap(ofPrivate(pem, "incident"), Effect.fromOption))
  yield* Durable.writeFileDurably(file.replace(/key$/, "pub"), made.pem)
  yield* Durable.writeFileDurably(file, pem, { mode: 0o600 })
  return made
})

/**
 * The key that signs an incident's bundles: one that was made for the incident, else that of the project's ledger, which
 * others know; else one that is made for the incident now. It stays the same wherever a later call goes on.
 */
const lasting = Effect.fnUntraced(function* (folder: IncidentFolder) {
  const own = yield* ofFile(incidentKey(folder), "incident")
  if (Option.isSome(own)) return own.value
  const project = yield* ofHome((yield* Incidents).projectHome)
  return Option.isSome(project) ? project.value : yield* makeOfIncident(folder)
})

/** Sees to it, while the incident is opened, that its bundles are signed by the same key in this call and any later one. */
export const keep = (folder: IncidentFolder): Effect.Effect<void, never, Incidents> => Effect.ignore(lasting(folder))

/** The key that signs an incident's bundles; where none can be kept, one that is forgotten. */
export const ofBundles = Effect.fn("BundleKey.ofBundles")((folder: IncidentFolder) =>
  Effect.catchTag(lasting(folder), "FileFailed", () => once),
)
