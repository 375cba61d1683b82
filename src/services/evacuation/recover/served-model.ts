import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Checksums from "../../../domain/checksums.ts"
import { type ModelVersion, type Slot, slotOf, slotText } from "../../../domain/model.ts"
import { ModelFiles } from "../../model-files.ts"
import { ModelRegistry } from "../../model-registry.ts"

/** What a slot's API is to serve cannot be told. */
export class ChampionUnknown extends Schema.TaggedError<ChampionUnknown>()("ChampionUnknown", {
  slot: Schema.String,
  reason: Schema.String,
}) {
  override get message() {
    return `What ${this.slot} is to serve cannot be told: ${this.reason}`
  }
}

/** The versions that an API of a slot may serve: its champion, or where the registry is lost every whole signed one. */
export interface Expected {
  readonly versions: ReadonlyArray<Pick<ModelVersion, "version" | "digest">>
  readonly note?: string
}

const registryMillis = 5_000
const decodeList = Schema.decodeUnknownOption(Schema.fromJsonString(Checksums.Checksums))

/** The slot's versions in the models' folder that are whole and signed, by their own lists. */
const published = Effect.fnUntraced(function* (slot: Slot) {
  const files = yield* ModelFiles
  const text = slotText(slot)
  const versions = yield* Effect.filter(yield* files.list, (version) =>
    Effect.flatMap(files.folder(version), (folder) => files.read(folder, Checksums.fileName)).pipe(
      Effect.map((list) => Option.exists(decodeList(list), ({ metadata }) => metadata.slot === text)),
      Effect.orElseSucceed(() => false),
    ),
  )
  const verified = yield* Effect.forEach(versions, (version) => Effect.option(files.verify(version)))
  return verified
    .flatMap(Option.toArray)
    .flatMap(({ differences, list, version }) =>
      differences.length === 0 && list?.metadata.slot === text ? [{ version, digest: list.root_digest }] : [],
    )
})

/**
 * What a slot is to serve, from the registry. Where that does not answer in time, from the models' folder: it does not know
 * which version is champion, but no other bytes than those that were published are taken for one.
 */
export const expected = Effect.fn("Evacuation.expectedModel")(function* (text: string) {
  const unknown = (reason: string) => new ChampionUnknown({ slot: text, reason })
  const slot = slotOf(text)
  if (slot === undefined) return yield* unknown("it is no slot; write it like EURUSD-GBPUSD/1h")
  const asked = yield* (yield* ModelRegistry).champion(slot).pipe(
    Effect.timeoutOrElse({
      duration: registryMillis,
      orElse: () => Effect.fail({ message: `the model registry gave no answer within ${registryMillis} ms` }),
    }),
    Effect.result,
  )
  if (asked._tag === "Success") {
    if (Option.isNone(asked.success))
      return yield* unknown("it has no champion; deploy a version, or leave the slot out")
    const { digest, version } = asked.success.value
    return { versions: [{ version, digest }] } satisfies Expected as Expected
  }
  const problem = asked.failure.message
  const versions = yield* Effect.catch(published(slot), ({ message }) =>
    Effect.fail(unknown(`${problem}; and the models' folder: ${message}`)),
  )
  if (versions.length === 0) return yield* unknown(`${problem}; and the models' folder has no whole version of it`)
  return { versions, note: `compared with the published versions, not with the champion: ${problem}` }
})

/** Every `version` with its `digest` that a JSON answer names, wherever in it. */
export const named = (answer: Schema.Json): ReadonlyArray<{ readonly version: string; readonly digest: string }> => {
  if (typeof answer !== "object" || answer === null) return []
  if (Array.isArray(answer)) return (answer as ReadonlyArray<Schema.Json>).flatMap(named)
  const fields = answer as Readonly<Record<string, Schema.Json>>
  const { digest, version } = fields
  const own = typeof version === "string" && typeof digest === "string" ? [{ version, digest }] : []
  return [...own, ...Object.values(fields).flatMap(named)]
}

/** Why an answer is not that of an API which serves what is expected; undefined where it is. */
export const mismatch = (answer: Schema.Json, { versions }: Expected): string | undefined => {
  const serves = named(answer)
  const holds = serves.some(({ digest, version }) =>
    versions.some((each) => each.version === version && each.digest === digest),
  )
  if (holds) return undefined
  const text = ({ digest, version }: { readonly version: string; readonly digest: string }) =>
    `${version} (${digest.slice(0, 12)}…)`
  const wanted = versions.slice(0, 3).map(text).join(" or ")
  return serves.length === 0
    ? `its answer names no version with its digest, and is to name ${wanted}`
    : `it serves ${serves.slice(0, 3).map(text).join(", ")}, and is to serve ${wanted}`
}
