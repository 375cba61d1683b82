import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "../../../domain/canonical-json.ts"
import { Latest, moveProblem } from "../../../domain/latest.ts"
import type { Destination } from "./destination.ts"

/** Whether the pointer points to the snapshot now, and why not. */
export interface Moved {
  readonly moved: boolean
  readonly reason?: string
}

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Latest))
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const refusing = (reason: string): Moved => ({ moved: false, reason })

/** Others may move the pointer at the same time; so often it is looked at anew. */
const tries = 3

/**
 * Moves a destination's pointer to a snapshot that was verified, by compare-and-swap: not where the snapshot shrank by more
 * than `maxShrink`, where the pointer points to a newer one, or where it cannot be read.
 */
export const move = Effect.fn("LatestPointer.move")(function* (
  destination: Destination,
  to: Latest,
  maxShrink: number,
): Effect.fn.Return<Moved> {
  const bytes = new TextEncoder().encode(`${CanonicalJson.encode(to)}\n`)
  const once = Effect.gen(function* () {
    const there = yield* destination.pointer
    if (Option.isSome(there)) {
      const from = Option.getOrUndefined(decode(textOf(there.value.bytes)))
      if (from === undefined) return refusing("the pointer that is there cannot be read, and is not replaced")
      if (Buffer.compare(there.value.bytes, bytes) === 0) return { moved: true }
      const problem = moveProblem(from, to, maxShrink)
      if (problem !== undefined) return refusing(problem)
    }
    const moved = yield* destination.movePointer(
      bytes,
      Option.map(there, ({ tag }) => tag),
    )
    return moved ? { moved } : undefined
  })
  for (let attempt = 1; attempt <= tries; attempt++) {
    const moved: Moved | undefined = yield* Effect.catch(once, ({ message }) => Effect.succeed(refusing(message)))
    if (moved !== undefined) return moved
  }
  return refusing("others moved the pointer each time that it was looked at; run this again")
})
