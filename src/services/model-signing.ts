import type { KeyObject } from "node:crypto"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Opened, Payload } from "../domain/model-signature.ts"
import * as Sha256 from "../domain/sha256.ts"
import * as SigningKey from "../domain/signing-key.ts"
import * as Durable from "./durable-files.ts"
import { Evidence } from "./evidence.ts"
import * as FileLock from "./file-lock.ts"

/** The key that signs models could not be made or used. Nothing was signed. */
export class SigningFailed extends Schema.TaggedError<SigningFailed>()("SigningFailed", {
  path: Schema.String,
  reason: Schema.String,
  cause: Schema.optionalKey(Schema.Defect()),
}) {
  readonly notApplied = true
  override get message() {
    return `The key that signs models, ${this.path}, cannot be used: ${this.reason}`
  }
}

/** ECDSA P-256 by the format's own choice: its verifier takes no Ed25519, so that the ledger's key cannot sign models. */
const curve = "P-256"
/** Waiting time for another process that makes the key, milliseconds. */
const patience = 10_000
const crypto = Effect.promise(() => import("node:crypto"))

const pathsOf = (home: string) => {
  const at = (name: string) => join(home, "keys", name)
  return {
    folder: join(home, "keys"),
    private: at("model-signing.key"),
    public: at("model-signing.pub"),
    statement: at("model-signing.json"),
    ledger: at("ledger.pub"),
  }
}
type Paths = ReturnType<typeof pathsOf>

const readOptional = (path: string) =>
  Durable.attempt("read", path, () => Fs.readFile(path, "utf8")).pipe(
    Effect.asSome,
    Effect.catchIf(
      (error) => error.code === "ENOENT",
      () => Effect.succeedNone,
    ),
  )

const pemOf = (key: KeyObject) => key.export({ type: "spki", format: "pem" }).toString()
const isOurs = (key: KeyObject) =>
  key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === "prime256v1"

const privateKey = (path: string, pem: string) =>
  Effect.flatMap(crypto, ({ createPrivateKey }) =>
    Effect.try({
      try: () => createPrivateKey(pem),
      catch: (cause) =>
        new SigningFailed({ path, reason: `it is no private key in PEM; put the right one back`, cause }),
    }),
  ).pipe(
    Effect.filterOrFail(
      isOurs,
      () => new SigningFailed({ path, reason: "it is no P-256 key; put the right one back" }),
    ),
  )

const publicKey = (pem: string) =>
  Effect.flatMap(crypto, ({ createPublicKey }) => Effect.option(Effect.try(() => createPublicKey(pem))))

const create = Effect.fnUntraced(function* (paths: Paths) {
  const { generateKeyPairSync } = yield* crypto
  const pair = generateKeyPairSync("ec", { namedCurve: curve })
  yield* Durable.makeFolderDurably(paths.folder)
  yield* Durable.attempt("change the mode of", paths.folder, () => Fs.chmod(paths.folder, 0o700))
  const pem = pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString()
  yield* Durable.writeFileDurably(paths.private, pem, { mode: 0o600 })
  return pair.privateKey
})

/** Private key, then the ledger's word for it, then the public key: what a crash leaves out is made up the next time. */
const complete = Effect.fnUntraced(
  function* (home: string, paths: Paths) {
    const { createPublicKey } = yield* crypto
    yield* Durable.makeFolderDurably(home)
    yield* FileLock.acquireWithin(join(home, "model-signing.lock"), patience)
    const [privatePem, publicPem] = [yield* readOptional(paths.private), yield* readOptional(paths.public)]
    if (Option.isNone(privatePem) && Option.isSome(publicPem)) {
      const reason =
        "it is gone, but model-signing.pub beside it is there. Put it back, or move all three away together"
      return yield* new SigningFailed({ path: paths.private, reason })
    }
    const key = Option.isSome(privatePem) ? yield* privateKey(paths.private, privatePem.value) : yield* create(paths)
    const pem = pemOf(createPublicKey(key))
    if (Option.isNone(publicPem)) {
      const payload = SigningKey.payloadOf(Sha256.of(pem))
      const { keyid, signature } = yield* (yield* Evidence).sign(SigningKey.signedOf(payload))
      yield* Durable.writeFileDurably(paths.statement, SigningKey.encode(payload, keyid, signature))
      yield* Durable.writeFileDurably(paths.public, pem)
    } else if (publicPem.value !== pem) {
      const reason = "model-signing.pub beside it is of another key. Put back the pair that belongs together"
      return yield* new SigningFailed({ path: paths.private, reason })
    }
    return { key, hint: Sha256.of(pem) }
  },
  Effect.scoped,
  (effect, _, paths) =>
    Effect.mapError(effect, (cause) =>
      cause._tag === "SigningFailed" ? cause : new SigningFailed({ path: paths.private, reason: cause.message, cause }),
    ),
)

/**
 * Signs a payload with the key of a home: `keys/model-signing.key` (PKCS#8, mode 0600), made at the first use.
 * `model-signing.json` beside it is the statement, signed by the ledger's key, that this key signs its models.
 */
export const sign = Effect.fn("ModelSigning.sign")(function* (home: string, { signed }: Payload) {
  const { key, hint } = yield* complete(home, pathsOf(home))
  const { sign } = yield* crypto
  return { hint, signature: new Uint8Array(sign("sha256", signed, key)) }
})

/** Why the ledger does not vouch for the key; undefined when it does. */
const disowned = Effect.fnUntraced(function* (paths: Paths, hint: string) {
  const [text, pem] = [yield* readOptional(paths.statement), yield* readOptional(paths.ledger)]
  if (Option.isNone(text)) return "there is no keys/model-signing.json, by which the ledger's key vouches for it"
  if (Option.isNone(pem)) return "there is no keys/ledger.pub, which vouches for it"
  const statement = SigningKey.open(text.value)
  if (Option.isNone(statement)) return "keys/model-signing.json is no statement about a key"
  if (statement.value.hint !== hint) return "keys/model-signing.json is about another key"
  const { verify } = yield* crypto
  const ledger = yield* publicKey(pem.value)
  if (Option.isNone(ledger) || ledger.value.asymmetricKeyType !== "ed25519") return "keys/ledger.pub is no key"
  const { signatures, signed } = statement.value
  return signatures.some((signature) => verify(null, signed, ledger.value, signature))
    ? undefined
    : "keys/model-signing.json is not signed by the ledger's key"
})

/** Why a signature does not hold under the key of a home, whatever it says; undefined when it holds. */
export const problem = Effect.fn("ModelSigning.problem")(function* (home: string, opened: Opened) {
  const paths = pathsOf(home)
  const pem = yield* readOptional(paths.public)
  if (Option.isNone(pem)) return "it cannot be checked: there is no keys/model-signing.pub"
  const key = yield* publicKey(pem.value)
  if (Option.isNone(key) || !isOurs(key.value)) return "it cannot be checked: keys/model-signing.pub is no P-256 key"
  const hint = Sha256.of(pemOf(key.value))
  if (opened.hint !== hint) return `it is by another key (${opened.hint.slice(0, 12)}…) than keys/model-signing.pub`
  const { verify } = yield* crypto
  if (!verify("sha256", opened.signed, key.value, opened.signature)) return "its bytes are not what the key signed"
  const reason = yield* disowned(paths, hint)
  return reason === undefined ? undefined : `its key does not count: ${reason}`
})
