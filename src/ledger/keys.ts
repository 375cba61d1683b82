import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import * as DurableFiles from "../services/durable-files.ts"
import * as FileLock from "../services/file-lock.ts"
import * as Ed25519 from "./ed25519.ts"
import { LedgerFailed } from "./errors.ts"
import { Ledger } from "./ledger.ts"

/** The ledger's key could not be made, read or recorded. */
export class KeyFailed extends Schema.TaggedError<KeyFailed>()("KeyFailed", {
  path: Schema.String,
  reason: Schema.String,
  cause: Schema.optionalKey(Schema.Defect()),
}) {
  get exitCode() {
    return this.cause instanceof LedgerFailed ? this.cause.exitCode : 74
  }
  override get message() {
    return `The ledger's key ${this.path} cannot be used: ${this.reason}`
  }
}

/** The key that signs checkpoints and receipts. The private half never leaves the service. */
export class LedgerKey extends Context.Service<
  LedgerKey,
  {
    /** SHA-256 of the public key's SubjectPublicKeyInfo. */
    readonly keyid: string
    readonly publicKey: Ed25519.PublicKey
    /** SubjectPublicKeyInfo in PEM. */
    readonly publicPem: string
    /** Ed25519 signature (64 bytes). */
    readonly sign: (bytes: Uint8Array) => Effect.Effect<Uint8Array>
    /** True when the signature over the bytes is by this key. */
    readonly verify: (bytes: Uint8Array, signature: Uint8Array) => Effect.Effect<boolean>
  }
>()("dandori/ledger/LedgerKey") {}

const failedBy = (path: string) => (cause: { readonly message: string }) =>
  new KeyFailed({ path, reason: cause.message, cause })

/** Waiting time for another process that makes the key, milliseconds. */
const patience = 10_000

const make = Effect.fnUntraced(function* (home: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const ledger = yield* Ledger
  const folder = path.join(home, "keys")
  const privatePath = path.join(folder, "ledger.key")
  const publicPath = path.join(folder, "ledger.pub")
  const failed = failedBy(privatePath)

  const readPrivate = fs.readFileString(privatePath).pipe(Effect.flatMap(Ed25519.privateKey), Effect.mapError(failed))
  const exists = (file: string) => fs.exists(file).pipe(Effect.mapError(failed))

  const create = Effect.gen(function* () {
    yield* DurableFiles.makeFolderDurably(folder)
    yield* fs.chmod(folder, 0o700)
    const key = yield* Ed25519.generate
    yield* DurableFiles.writeFileDurably(privatePath, key.pem, { mode: 0o600 })
    return key
  }).pipe(Effect.mapError(failed))

  const isRecorded = (keyid: string) =>
    ledger.read("system").pipe(
      Effect.map(({ entries }) =>
        entries.some(
          ({ type, data }) =>
            type === "dev.dandori.key.created.v1" && (data as { readonly keyid: string }).keyid === keyid,
        ),
      ),
      Effect.catchTag("StreamMissing", () => Effect.succeed(false)),
    )

  /** Private key, then the event, then the public key: what a crash leaves out is made up at the next start. */
  const complete = Effect.scoped(
    Effect.gen(function* () {
      yield* DurableFiles.makeFolderDurably(home)
      yield* FileLock.acquireWithin(path.join(home, "keys.lock"), patience)
      const published = yield* exists(publicPath)
      if (published && !(yield* exists(privatePath))) {
        const reason = "it is gone, but ledger.pub beside it is there. Put it back; signatures go on with no other key"
        return yield* new KeyFailed({ path: privatePath, reason })
      }
      const key = (yield* exists(privatePath)) ? yield* readPrivate : yield* create
      if (published) return key
      const { keyid, pem } = key.publicKey
      if (!(yield* isRecorded(keyid))) {
        yield* ledger.record("system", [{ type: "dev.dandori.key.created.v1", data: { keyid, publicKey: pem } }])
      }
      yield* DurableFiles.writeFileDurably(publicPath, pem)
      return key
    }),
  ).pipe(Effect.mapError((error) => (error instanceof KeyFailed ? error : failed(error))))

  const whole = (yield* exists(privatePath)) && (yield* exists(publicPath))
  const { publicKey, sign } = yield* whole ? readPrivate : complete
  const published = yield* fs
    .readFileString(publicPath)
    .pipe(Effect.flatMap(Ed25519.publicKey), Effect.mapError(failedBy(publicPath)))
  if (published.keyid !== publicKey.keyid) {
    const reason = "it does not belong to the private key beside it. Put back the pair that belongs together"
    return yield* new KeyFailed({ path: publicPath, reason })
  }
  return LedgerKey.of({
    keyid: publicKey.keyid,
    publicKey,
    publicPem: publicKey.pem,
    sign,
    verify: (bytes, signature) => Ed25519.verify(publicKey, bytes, signature),
  })
})

/**
 * The key pair `<home>/keys/ledger.key` (PKCS#8, mode 0600) and `ledger.pub`, made at the first use; its creation is
 * an event of the `system` stream.
 */
export const layer = (home: string) => Layer.effect(LedgerKey, make(home))
