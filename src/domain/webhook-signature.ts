import { createHmac, timingSafeEqual } from "node:crypto"

/** Seconds that the clocks of the sender and of this machine may be apart, and a request may take. */
export const toleranceSeconds = 300

/** What a request of Standard Webhooks 1.0 says of itself. */
export interface Signed {
  readonly id: string
  /** Seconds since the epoch, as they stand in the header. */
  readonly timestamp: string
  /** `v1,<base64>`, several with spaces between them. */
  readonly signature: string
}

/** The key of a secret: `whsec_` and base64, or any other text as it is. */
const keyOf = (secret: string): Buffer =>
  secret.startsWith("whsec_") ? Buffer.from(secret.slice("whsec_".length), "base64") : Buffer.from(secret, "utf8")

/** HMAC-SHA256 over `id.timestamp.body` in base64, with its version. */
export const sign = (secret: string, id: string, timestamp: string, body: string): string =>
  `v1,${createHmac("sha256", keyOf(secret)).update(`${id}.${timestamp}.${body}`, "utf8").digest("base64")}`

const isEqual = (a: string, b: string): boolean => {
  const [x, y] = [Buffer.from(a), Buffer.from(b)]
  return x.length === y.length && timingSafeEqual(x, y)
}

/** Why a request is not to be believed at a time (milliseconds since the epoch); undefined where it is. */
export const fault = (secret: string, signed: Signed, body: string, now: number): string | undefined => {
  const { id, signature, timestamp } = signed
  if (!/^[A-Za-z0-9._:-]{1,128}$/.test(id)) return "webhook-id must be 1 to 128 letters, digits and . _ : -"
  if (!/^\d{1,12}$/.test(timestamp)) return "webhook-timestamp must be seconds since 1970"
  if (Math.abs(now / 1_000 - Number(timestamp)) > toleranceSeconds) {
    return `webhook-timestamp is more than ${toleranceSeconds} s away from this machine's clock`
  }
  const expected = sign(secret, id, timestamp, body)
  const isSigned = signature.split(" ").some((one) => isEqual(one, expected))
  return isSigned ? undefined : "webhook-signature does not fit the body and its secret"
}
