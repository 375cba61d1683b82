import * as Effect from "effect/Effect"
import type { SourceFile } from "../../../../src/domain/collected.ts"
import type { FilesCollector } from "../../../../src/domain/config/evacuation.ts"
import type { Reading } from "../../../../src/services/evacuation/sources/reading.ts"
import * as Redaction from "../../../../src/services/evacuation/redaction/redaction.ts"
import { reading } from "../../../../src/services/evacuation/sources/source-reading.ts"
import * as Place from "../destination/place.ts"

const { collector } = Place

const redactorFor = () => Redaction.make([{ name: "hunters", pattern: "hunter\\d" }], [])
export const openerOf = (own: Partial<FilesCollector> = {}) =>
  reading({ redactorFor, section: { collectors: [collector(own)] } })

/** A source as it would be listed. */
export const source = (path: string | Uint8Array, own: Partial<SourceFile> = {}): SourceFile => ({
  collector: "tree",
  to: "evidence",
  value: 1,
  source: Buffer.from(path).toString(),
  ...(typeof path === "string" ? {} : { sourceBytes: Buffer.from(path).toString("base64") }),
  path: "tree/x",
  bytes: 0,
  mtime: 0,
  mode: 0o644,
  uid: 0,
  gid: 0,
  redact: false,
  ...own,
})

/** The next piece, as a copy. */
export const piece = (reading: Reading) =>
  Effect.map(reading.next, (next) => {
    const copy = next === undefined ? undefined : Buffer.from(next.bytes)
    next?.release()
    return copy
  })
/** All that is left, and how it ended. */
export const rest = (reading: Reading) =>
  Effect.gen(function* () {
    const pieces: Array<Buffer> = []
    for (let next = yield* piece(reading); next !== undefined; next = yield* piece(reading)) pieces.push(next)
    return { content: Buffer.concat(pieces), sizes: pieces.map(({ length }) => length), ...(yield* reading.end) }
  })
/** What another process does, to its end. */
export const does = (script: string, ...args: ReadonlyArray<string>) =>
  Effect.promise(() => Bun.$`sh -c ${script} sh ${args}`.quiet())

export const patterned = (size: number) => new Uint8Array(size).map((_, at) => (at * 31 + (at >> 8)) % 251)
