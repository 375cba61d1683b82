import * as Schema from "effect/Schema"

/**
 * `configs/base/trust.yaml`: the public keys that may sign a ledger, each in PEM. A `keyid` written beside a key must
 * be the SHA-256 of its SubjectPublicKeyInfo.
 */
export const TrustFile = Schema.Struct({
  keys: Schema.Array(
    Schema.Struct({
      keyid: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/))),
      pem: Schema.String,
    }),
  ),
})
export type TrustFile = typeof TrustFile.Type
