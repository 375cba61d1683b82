import * as Schema from "effect/Schema"

/** A SHA-256 digest as 64 lower-case hexadecimal digits. */
export const Sha256 = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)).pipe(Schema.brand("Sha256"))
export type Sha256 = typeof Sha256.Type

/** SHA-256 of UTF-8 text or bytes (FIPS 180-4). */
export const of = (data: string | Uint8Array): Sha256 => Bun.CryptoHasher.hash("sha256", data, "hex") as Sha256
