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
import * as PlanNeeds from "./plan-needs.ts"
import * as RootTestimonies from "./root-testimonies.ts"
import * as StreamName from "./stream-name.ts"

const finished = "dev.dandori.run.finished.v1"
const entered = "dev.dandori.pipeline.entered.v1"
const isCreated = Schema.is(eventData["dev.dandori.run.created.v1"])
const isEntered = Schema.is(eventData[entered])
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
  return typeof task === "string" ? task : ""
}

/** An entry without what is only for tasks that do not count; undefined where it is all of one of them. */
const counted = (entry: Entry, needs: PlanNeeds.PlanNeeds): Entry | undefined => {
  const { data } = entry
  if (isCreated(data)) return { ...entry, data: { ...data, params: needs.params("", data.params) } }
  if (entry.type === entered && isEntered(data)) {
    return { ...entry, data: { ...data, params: needs.params(data.task, data.params) } }
  }
  return needs.isLeftOut(taskOf(entry)) ? undefined : entry
}

const make = Effect.gen(function* () {
  const ledger = yield* Ledger
  const artifacts = yield* Artifacts
  const failed = (cause: { readonly message: string }) => new EvidenceError({ reason: cause.message, cause })

  /** What the plan of a run needs for other tasks than those of these types; undefined where it cannot be read. */
  const needsOf = Effect.fnUntraced(function* (created: unknown, types: ReadonlyArray<string>) {
    if (!isCreated(created)) return undefined
    const bytes = yield* Effect.option(artifacts.get(created.planArtifact.sha256))
    const plan = Option.flatMap(bytes, (found) => decodePlan(new TextDecoder().decode(found)))
    return Option.getOrUndefined(Option.map(plan, (found) => PlanNeeds.of(found, types)))
  })

  /** What an entry says, with the output or the values that were too large for it; undefined where those cannot be read. */
  const textOf = (entry: Entry) => {
    const text = JSON.stringify(entry.data)
    const { outputArtifact, valuesArtifact } = entry.data as {
      readonly outputArtifact?: Artifact
      readonly valuesArtifact?: Artifact
    }
    const large = outputArtifact ?? valuesArtifact
    if (large === undefined) return Effect.succeed(text)
    return artifacts.get(large.sha256).pipe(
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
    const bytes =
      fault === undefined
        ? new Uint8Array()
        : yield* ledger.bytes(stream).pipe(Effect.catchTag("StreamMissing", () => Effect.succeed(new Uint8Array())))
    const damaged = fault === undefined || Chain.isTornTail(bytes, chain) ? "" : new TextDecoder().decode(bytes)
    const created = entries[0]?.data
    const pipeline = isCreated(created) ? created.pipeline : "?"
    // Nothing began of a run whose first entry was not written.
    if (created === undefined && damaged === "") return [{ run, pipeline, names: () => false }]
    const needs = yield* needsOf(created, types)
    if (needs === undefined) return [{ run, pipeline, names: () => true }]
    const own = entries.flatMap((entry) => counted(entry, needs) ?? [])
    const texts = [damaged, needs.text, ...(yield* Effect.forEach(own, textOf))]
    const names = (name: string) => texts.some((text) => text === undefined || holdsWord(text, name))
    return [{ run, pipeline, names } satisfies UnfinishedRun]
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
