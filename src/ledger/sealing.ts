import type { AuthType } from "../domain/actor.ts"
import * as CanonicalJson from "../domain/canonical-json.ts"
import type { Event } from "../domain/event.ts"
import { genesisText } from "../domain/event.ts"
import * as Sha256 from "../domain/sha256.ts"

/** Who writes: `authid` is a person or a service, `source` the environment and the host. */
export interface Author {
  readonly source: string
  readonly authid: string
  readonly authtype: AuthType
}

/** The end of a chain: how many entries, and the hash of the last. */
export interface Head {
  readonly sequence: number
  readonly hash: Sha256.Sha256
}

/** The head of an empty stream. */
export const genesis = (stream: string): Head => ({ sequence: 0, hash: Sha256.of(genesisText(stream)) })

/** A sealed event: its line (with newline) and the head after it. */
export interface Sealed {
  readonly line: string
  readonly head: Head
}

const authors = new WeakMap<Author, { readonly first: string; readonly source: string }>()

/** The parts of a line that say who writes: the same for all lines of a writer. */
const partsOf = (author: Author) => {
  const known = authors.get(author)
  if (known !== undefined) return known
  const first = `{"authid":${JSON.stringify(author.authid)},"authtype":"${author.authtype}","data":`
  const parts = { first, source: `"source":${JSON.stringify(author.source)},"specversion":"1.0",` }
  authors.set(author, parts)
  return parts
}

let lastTime = Number.NaN
let lastText = ""

/** A time in milliseconds since the epoch as ISO 8601; most events share theirs with the one before. */
const timeText = (time: number): string => {
  if (time === lastTime) return lastText
  lastText = new Date(time).toISOString()
  lastTime = time
  return lastText
}

/**
 * Seals an event onto a head. The line is the entry's RFC 8785 text: the keys are written here in canonical order,
 * so that only `data` goes through the canonicaliser. `entryhash` is SHA-256 over the same text without `entryhash`.
 */
export const seal = (
  head: Head,
  author: Author,
  event: Event,
  meta: { readonly id: string; readonly subject: string; readonly time: number },
): Sealed => {
  const sequence = head.sequence + 1
  const { first, source } = partsOf(author)
  const before = `${first}${CanonicalJson.encode(event.data)},"datacontenttype":"application/json",`
  const after = `"id":"${meta.id}","prevhash":"${head.hash}","sequence":"${sequence}",${source}"subject":${JSON.stringify(meta.subject)},"time":"${timeText(meta.time)}","type":"${event.type}"}`
  const hash = Sha256.of(before + after)
  return { line: `${before}"entryhash":"${hash}",${after}\n`, head: { sequence, hash } }
}
