import canonicalize from "canonicalize"
import * as Sha256 from "./sha256.ts"

/** A value that JSON can hold. */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

/** RFC 8785 text of a JSON value. Throws on what JSON cannot hold (NaN, infinities, lone surrogates). */
export const encode = (value: unknown): string => {
  const text = canonicalize(value)
  if (text === undefined) throw new TypeError("The value has no JSON form")
  return text
}

/** SHA-256 over the canonical text. */
export const digest = (value: unknown): Sha256.Sha256 => Sha256.of(encode(value))
