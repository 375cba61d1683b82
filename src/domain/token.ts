import * as Schema from "effect/Schema"
import * as Sha256 from "./sha256.ts"

/** What the owner of a token may do over the API. */
export const Role = Schema.Literals(["viewer", "operator", "approver", "admin"]).annotate({ identifier: "Role" })
export type Role = typeof Role.Type

/** What a request does: reads, starts and steers, agrees or refuses, or grants access. */
export type Ability = "read" | "operate" | "approve" | "administer"

const abilities: Readonly<Record<Role, ReadonlyArray<Ability>>> = {
  viewer: ["read"],
  operator: ["read", "operate"],
  approver: ["read", "approve"],
  admin: ["read", "operate", "approve", "administer"],
}

/** Whether a role is enough for what a request does. */
export const may = (role: Role, ability: Ability): boolean => abilities[role].includes(ability)

/** The roles that are enough for what a request does. */
export const rolesFor = (ability: Ability): ReadonlyArray<Role> => Role.literals.filter((role) => may(role, ability))

/** The name of a token's owner: who acted, in what the ledger says of the requests that carry it. */
export const OwnerName = Schema.String.check(
  Schema.isPattern(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/u, {
    message: "must be a name of at most 64 letters, digits, '.', '_', '@', '-', like ann or deploy-bot",
  }),
).annotate({ identifier: "OwnerName" })

/** A token as it is kept: never its text. Times are RFC 3339, UTC. */
export const Token = Schema.Struct({
  id: Schema.String,
  name: OwnerName,
  role: Role,
  created: Schema.String,
  createdBy: Schema.String,
  expires: Schema.NullOr(Schema.String),
  firstUsed: Schema.NullOr(Schema.String),
  revoked: Schema.NullOr(Schema.String),
  revokedBy: Schema.NullOr(Schema.String),
}).annotate({ identifier: "Token" })
export type Token = typeof Token.Type

/** Whether a token lets anybody in at a time (milliseconds since the epoch). */
export const isActive = ({ expires, revoked }: Token, now: number): boolean =>
  revoked === null && (expires === null || now < Date.parse(expires))

const prefix = "dandori_"

/** The text of a token of 256 random bits. The prefix lets secret scanners find it. */
export const textOf = (bits: Uint8Array): string => `${prefix}${Buffer.from(bits).toString("base64url")}`

/** Whether a text can be a token at all. */
export const isText = (text: string): boolean => /^dandori_[A-Za-z0-9_-]{43}$/.test(text)

/** What is kept of a token's text. Its bits are random, so that a plain digest can be neither reversed nor guessed. */
export const digestOf = (text: string): Sha256.Sha256 => Sha256.of(text)

const subject = { token: Schema.String, name: Schema.String, role: Role }

/** What happens to tokens, as `system` holds it. */
export const tokenEvents = {
  "dev.dandori.token.created.v1": Schema.Struct({ ...subject, expires: Schema.optionalKey(Schema.String) }),
  "dev.dandori.token.revoked.v1": Schema.Struct(subject),
  /** The first request that carried it. */
  "dev.dandori.token.used.v1": Schema.Struct(subject),
} as const
