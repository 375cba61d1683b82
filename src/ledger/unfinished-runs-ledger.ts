import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Artifact } from "../domain/artifact.ts"
import { type Entry, data as eventData } from "../domain/event.ts"
import { Plan } from "../domain/plan.ts"
import { Artifacts } from "../services/artifacts.ts"
import { EvidenceError } from "../services/evidence.ts"
import { type UnfinishedRun, UnfinishedRuns } from "../services/unfinished-runs.ts"
import * as Chain from "./chain.ts"
import { Ledger } from "./ledger.ts"
import * as RootTestimonies from "./root-testimonies.ts"
import * as StreamName from "./stream-name.ts"

const finished = "dev.dandori.run.finished.v1"
const isCreated = Schema.is(eventData["dev.dandori.run.created.v1"])
const decodePlan = Schema.decodeUnknownOption(Schema.fromJsonString(Plan))
const wordCharacter = /[A-Za-z0-9]/

/** Whether a text holds a name that does not go on to either side with a letter or a digit: rather too often than not. */
export const holdsWord = (text: string, name: string): boolean => {
  for (let at = text.indexOf(name); at !== -1; at = text.indexOf(name, at + 1)) {
    const [before, after] = [text[at - 1] ?? "", text[at + name.length] ?? ""]
    if (!wordCharacter.test(before) && !wordCharacter.test(after)) return true
  }
  return false
}

const taskOf = ({ data }: Entry): string => {
  const task = (data as { readonly task?: unknown } | null)?.task
  return typeof task === "string" ? task.replace(/\[\d+\]$/, "") : ""
}

const make = Effect.gen(function* () {
  const ledger = yield* Ledger
  const artifacts = yield* Artifacts
  const failed = (cause: { readonly message: string }) => new EvidenceError({ reason: cause.message, cause })

  /** The tasks of a run that are of these types; none where its plan cannot be read. */
  const tasksOf = Effect.fnUntraced(function* (entries: ReadonlyArray<Entry>, types: ReadonlyArray<string>) {
    const created = entries[0]?.data
    if (!isCreated(created)) return []
    const bytes = yield* Effect.option(artifacts.get(created.planArtifact.sha256))
    const plan = Option.flatMap(bytes, (found) => decodePlan(new TextDecoder().decode(found)))
    return Option.match(plan, {
      onNone: () => [],
      onSome: ({ tasks }) =>
        tasks.filter(({ type }) => types.includes(type)).map(({ id }) => id.replace(/\[\d+\]$/, "")),
    })
  })

  /** What an entry says, with the output that was too large for it; undefined where that cannot be read. */
  const textOf = (entry: Entry) => {
    const text = JSON.stringify(entry.data)
    const { outputArtifact } = entry.data as { readonly outputArtifact?: Artifact }
    if (outputArtifact === undefined) return Effect.succeed(text)
    return artifacts.get(outputArtifact.sha256).pipe(
      Effect.map((bytes) => `${text}\n${new TextDecoder().decode(bytes)}`),
      Effect.orElseSucceed(() => undefined),
    )
  }

  const look = Effect.fnUntraced(function* (run: string, types: ReadonlyArray<string>) {
    const stream = StreamName.ofRun(run)
    const chain = yield* ledger.read(stream).pipe(Effect.catchTag("StreamMissing", () => Effect.undefined))
    if (chain === undefined) return []
    const { entries, fault } = chain
    if (fault === undefined && entries.at(-1)?.type === finished) return []
    const without = new Set(yield* tasksOf(entries, types))
    const bytes =
      fault === undefined
        ? new Uint8Array()
        : yield* ledger.bytes(stream).pipe(Effect.catchTag("StreamMissing", () => Effect.succeed(new Uint8Array())))
    const damaged = fault === undefined || Chain.isTornTail(bytes, chain) ? "" : new TextDecoder().decode(bytes)
    // Params of a pipeline with such tasks name what these are to look at; what its other tasks need, their inputs name.
    const own = entries.filter((entry) => !without.has(taskOf(entry)) && (without.size === 0 || entry !== entries[0]))
    const texts = yield* Effect.forEach(own, textOf)
    const created = entries[0]?.data
    const found: UnfinishedRun = {
      run,
      pipeline: isCreated(created) ? created.pipeline : "?",
      names: (name) => holdsWord(damaged, name) || texts.some((text) => text === undefined || holdsWord(text, name)),
    }
    return [found]
  })

  return UnfinishedRuns.of({
    list: Effect.fn("UnfinishedRuns.list")(
      function* (without) {
        const said = yield* ledger.testimonies
        const open = (yield* ledger.runs).filter((run) => !RootTestimonies.isOver(said, StreamName.ofRun(run)))
        return (yield* Effect.forEach(open, (run) => look(run, without))).flat()
      },
      (effect) => Effect.mapError(Effect.provideService(effect, Ledger, ledger), failed),
    ),
  })
})

/** The runs of the ledger that have not ended. */
export const layer: Layer.Layer<UnfinishedRuns, never, Ledger | Artifacts> = Layer.effect(UnfinishedRuns, make)
