import * as Effect from "effect/Effect"
import * as Sha256 from "../domain/sha256.ts"
import * as Ed25519 from "./ed25519.ts"

/** A signature line of a note: the signer's name, the four bytes that hint at the key, the signature. */
export interface NoteSignature {
  readonly name: string
  readonly keyHint: string
  readonly signature: Uint8Array
}

/** A signed note taken apart. `text` is what was signed, with its last newline. */
export interface Note {
  readonly text: string
  readonly signatures: ReadonlyArray<NoteSignature>
}

const ed25519 = 1

/** Key id of a note's signer (https://c2sp.org/signed-note): first four bytes of SHA-256(name, newline, 1, key), in hex. */
export const keyHint = (name: string, key: Ed25519.PublicKey): string =>
  Sha256.of(Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(ed25519), key.raw])).slice(0, 8)

/** Signs a text (which ends in a newline) as a note. `name` has neither spaces nor `+`. */
export const sign = (
  text: string,
  name: string,
  key: Ed25519.PublicKey,
  signature: (bytes: Uint8Array) => Effect.Effect<Uint8Array>,
): Effect.Effect<string> =>
  Effect.map(signature(new TextEncoder().encode(text)), (bytes) => {
    const line = Buffer.concat([Buffer.from(keyHint(name, key), "hex"), bytes]).toString("base64")
    return `${text}\n— ${name} ${line}\n`
  })

/** Takes a note apart; undefined when the text is none. */
export const parse = (note: string): Note | undefined => {
  const split = note.lastIndexOf("\n\n")
  if (split === -1 || !note.endsWith("\n")) return undefined
  const signatures: Array<NoteSignature> = []
  for (const line of note.slice(split + 2, -1).split("\n")) {
    const match = /^— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/.exec(line)
    if (match === null) return undefined
    const [, name = "", encoded = ""] = match
    const bytes = new Uint8Array(Buffer.from(encoded, "base64"))
    if (bytes.length < 5 || Buffer.from(bytes).toString("base64") !== encoded) return undefined
    signatures.push({ name, keyHint: Buffer.from(bytes.subarray(0, 4)).toString("hex"), signature: bytes.subarray(4) })
  }
  return { text: note.slice(0, split + 1), signatures }
}

/** The first of the keys that has signed the note under the name; undefined when none has. */
export const signer = Effect.fnUntraced(function* (note: Note, name: string, keys: ReadonlyArray<Ed25519.PublicKey>) {
  const bytes = new TextEncoder().encode(note.text)
  for (const key of keys) {
    const hint = keyHint(name, key)
    for (const line of note.signatures) {
      if (line.name !== name || line.keyHint !== hint) continue
      if (yield* Ed25519.verify(key, bytes, line.signature)) return key
    }
  }
  return undefined
})
