import { statSync } from "node:fs"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Cordon, holds, type Starter } from "../domain/cordon.ts"
import * as Durable from "./durable-files.ts"

/** There is no cordon of this id. */
export class CordonMissing extends Schema.TaggedError<CordonMissing>()("CordonMissing", {
  id: Schema.String,
  known: Schema.Array(Schema.String),
}) {
  override get message() {
    const known = this.known.length === 0 ? "none is raised" : `raised are ${this.known.join(", ")}`
    return `There is no cordon ${this.id}; ${known}`
  }
}

/**
 * The cordons of a project, each a file of its own, so that raising one is one small write. One that cannot be read
 * counts as raised, for everything.
 */
export class Cordons extends Context.Service<
  Cordons,
  {
    /** All that lie there, expired ones too, oldest first. */
    readonly list: Effect.Effect<ReadonlyArray<Cordon>>
    /** The oldest one that keeps the starter from starting work now; what was looked up is good for 50 ms. */
    readonly against: (starter: Starter) => Effect.Effect<Option.Option<Cordon>>
    readonly raise: (given: Omit<Cordon, "epoch" | "raised">) => Effect.Effect<Cordon, Durable.FileFailed>
    readonly lift: (id: string) => Effect.Effect<Cordon, Durable.FileFailed | CordonMissing>
  }
>()("dandori/services/Cordons") {}

const CordonText = Schema.fromJsonString(Cordon)
const decode = Schema.decodeUnknownOption(CordonText)

/** How long a look at the folder is good for. */
const freshMillis = 50

const unreadable = (id: string, reason: string): Cordon => ({
  id,
  epoch: 0,
  owner: "nobody",
  reason: `the cordon cannot be read, which counts as raised: ${reason}`,
  raised: 0,
})

const make = (root: string) => {
  const pathOf = (id: string) => join(root, `${id}.json`)
  const readOne = (name: string) => {
    const id = name.slice(0, -".json".length)
    return Durable.attempt("read", join(root, name), () => Fs.readFile(join(root, name), "utf8")).pipe(
      Effect.map((text) => {
        const cordon = Option.getOrElse(decode(text), () => unreadable(id, "it is no cordon"))
        return [cordon.id === id ? cordon : unreadable(id, `it says that it is ${cordon.id}`)]
      }),
      // One that was lifted between the look at the folder and the read is gone.
      Effect.catch((error) => Effect.succeed(error.code === "ENOENT" ? [] : [unreadable(id, error.message)])),
    )
  }
  const list = Durable.attempt("list", root, () => Fs.readdir(root)).pipe(
    Effect.flatMap((names) => Effect.forEach(names.filter((name) => name.endsWith(".json")).toSorted(), readOne)),
    Effect.map((found) => found.flat().toSorted((a, b) => a.epoch - b.epoch)),
    Effect.catch((error) => Effect.succeed(error.code === "ENOENT" ? [] : [unreadable("?", error.message)])),
  )
  /** False where there is no folder, so that a project without cordons pays one system call for the look. */
  const mayHave = () => {
    try {
      return statSync(root, { throwIfNoEntry: false }) !== undefined
    } catch {
      return true
    }
  }
  let seen: { readonly at: number; readonly cordons: ReadonlyArray<Cordon> } | undefined
  return Cordons.of({
    list,
    against: (starter) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const first = (cordons: ReadonlyArray<Cordon>) =>
          Option.fromNullishOr(cordons.find((cordon) => holds(cordon, now, starter)))
        if (seen !== undefined && now - seen.at < freshMillis && now >= seen.at) {
          return Effect.succeed(first(seen.cordons))
        }
        return Effect.map(mayHave() ? list : Effect.succeed([]), (cordons) => {
          seen = { at: now, cordons }
          return first(cordons)
        })
      }),
    raise: Effect.fnUntraced(function* (given) {
      yield* Durable.makeFolderDurably(root)
      const epoch = Math.max(0, ...(yield* list).map((cordon) => cordon.epoch)) + 1
      const cordon: Cordon = { ...given, epoch, raised: yield* Clock.currentTimeMillis }
      yield* Durable.writeNewFileDurably(pathOf(given.id), Schema.encodeSync(CordonText)(cordon))
      seen = undefined
      return cordon
    }),
    lift: Effect.fnUntraced(function* (id) {
      const all = yield* list
      const found = all.find((cordon) => cordon.id === id)
      if (found === undefined) return yield* new CordonMissing({ id, known: all.map((cordon) => cordon.id) })
      yield* Durable.removeFileDurably(pathOf(id))
      seen = undefined
      return found
    }),
  })
}

/** Cordons as files in a folder. */
export const layer = (root: string): Layer.Layer<Cordons> => Layer.sync(Cordons, () => make(root))

/** No cordon at all. */
export const layerNone: Layer.Layer<Cordons> = Layer.succeed(Cordons, {
  list: Effect.succeed([]),
  against: () => Effect.succeedNone,
  raise: () => Effect.never,
  lift: (id) => Effect.fail(new CordonMissing({ id, known: [] })),
})
