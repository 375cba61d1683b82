import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import * as Yaml from "yaml"
import { TrustFile } from "../domain/config/trust.ts"
import * as Ed25519 from "./ed25519.ts"

/** The list of trusted keys is there, but cannot be used. */
export class TrustInvalid extends Schema.TaggedError<TrustInvalid>()("TrustInvalid", {
  path: Schema.String,
  reason: Schema.String,
  cause: Schema.optionalKey(Schema.Defect()),
}) {
  override get message() {
    return `The trusted keys in ${this.path} cannot be used: ${this.reason}. It holds: keys: [{ pem: … }]`
  }
}

const decode = Schema.decodeUnknownEffect(TrustFile)

/** The public keys, in PEM, that `<configs>/base/trust.yaml` trusts; none when there is no such file. */
export const read = Effect.fn("Trust.read")(function* (configs: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const file = path.join(configs, "base", "trust.yaml")
  const invalid = (cause: { readonly message: string }) =>
    new TrustInvalid({ path: file, reason: cause.message, cause })
  if (!(yield* fs.exists(file).pipe(Effect.mapError(invalid)))) return []
  const text = yield* fs.readFileString(file).pipe(Effect.mapError(invalid))
  const value = yield* Effect.try({
    try: (): unknown => Yaml.parse(text),
    catch: (cause) => new TrustInvalid({ path: file, reason: cause instanceof Error ? cause.message : String(cause) }),
  })
  const { keys } = yield* decode(value).pipe(Effect.mapError(invalid))
  return yield* Effect.forEach(keys, ({ keyid, pem }) =>
    Ed25519.publicKey(pem).pipe(
      Effect.mapError(invalid),
      Effect.filterOrFail(
        (key) => keyid === undefined || key.keyid === keyid,
        (key) => new TrustInvalid({ path: file, reason: `the key with the keyid ${keyid} has the keyid ${key.keyid}` }),
      ),
      Effect.map((key) => key.pem),
    ),
  )
})
