import { existsSync } from "node:fs"
import * as Fs from "node:fs/promises"
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Actor } from "../domain/actor.ts"
import { Answer, type Request } from "../domain/request.ts"
import { Acting } from "./acting.ts"
import * as Durable from "./durable-files.ts"
import { Ids } from "./ids.ts"
import * as LetterFile from "./letter-file.ts"
import * as SpokenRequests from "./spoken-requests.ts"

/**
 * A request that lies in a run's inbox. `by` is the owner of its file, as the operating system knows them; or the `actor`
 * whom this very process asks for.
 */
export interface Letter {
  readonly id: string
  readonly request: Request
  readonly by: string
  readonly actor?: Actor
}

/**
 * Requests to the process that owns a run, and its answers. Nothing in it is needed to know what happened: that stands in
 * the ledger.
 */
export class Inbox extends Context.Service<
  Inbox,
  {
    /**
     * Puts a request into a run's inbox; gives its id. One of who acts in this fiber stays in this process, which alone
     * knows who that is: it reaches a run that this process owns, and nobody else.
     */
    readonly put: (run: string, request: Request) => Effect.Effect<string, Durable.FileFailed>
    /** The answer to a request, once there is one; it is taken out. */
    readonly answerTo: (run: string, id: string) => Effect.Effect<Option.Option<Answer>, Durable.FileFailed>
    /** Takes a request back, where nobody has taken it; false where somebody has. */
    readonly withdraw: (run: string, id: string) => Effect.Effect<boolean, Durable.FileFailed>
    /** Waits until something lies there and takes it, oldest first. What is no request is refused. */
    readonly arrivals: (run: string) => Effect.Effect<ReadonlyArray<Letter>, Durable.FileFailed>
    readonly answer: (run: string, id: string, answer: Answer) => Effect.Effect<void, Durable.FileFailed>
    /** Removes the requests to a run that has ended; answers stay for those who asked. */
    readonly clear: (run: string) => Effect.Effect<void, Durable.FileFailed>
  }
>()("dandori/services/Inbox") {}

const AnswerText = Schema.fromJsonString(Answer)
const decodeAnswer = Schema.decodeUnknownOption(AnswerText)

const suffix = ".request.json"

/** How often an owner looks into its inbox. */
const lookMillis = 200

const isMissing = (error: Durable.FileFailed) => error.code === "ENOENT"

const make = (root: string) =>
  Effect.gen(function* () {
    const ids = yield* Ids
    const spoken = SpokenRequests.make(ids.uuid)
    const folderOf = (run: string) => join(root, run)
    const requestOf = (run: string, id: string) => join(root, run, `${id}${suffix}`)
    const answerFile = (run: string, id: string) => join(root, run, `${id}.answer.json`)
    const remove = (path: string) =>
      Durable.attempt("remove", path, () => Fs.unlink(path)).pipe(
        Effect.as(true),
        Effect.catchIf(isMissing, () => Effect.succeed(false)),
      )
    const readIfThere = (path: string) =>
      Durable.attempt("read", path, () => Fs.readFile(path, "utf8")).pipe(
        Effect.asSome,
        Effect.catchIf(isMissing, () => Effect.succeedNone),
      )
    const removeIfEmpty = (run: string) =>
      Effect.ignore(Durable.attempt("remove", folderOf(run), () => Fs.rmdir(folderOf(run))))
    const namesIn = (run: string) =>
      Durable.attempt("list", folderOf(run), () => Fs.readdir(folderOf(run))).pipe(
        Effect.catchIf(isMissing, () => Effect.succeed([])),
        Effect.map((names) => names.filter((name) => name.endsWith(suffix)).toSorted()),
      )
    const answer = (run: string, id: string, given: Answer) =>
      Durable.writeFileDurably(answerFile(run, id), Schema.encodeSync(AnswerText)(given))
    /** Takes one request. What is none is answered and removed; what cannot be taken stays and is in nobody's way. */
    const takeOne = (run: string, name: string) =>
      Effect.gen(function* () {
        const path = join(folderOf(run), name)
        const id = name.slice(0, -suffix.length)
        const found = yield* LetterFile.read(path, run)
        if (found === "nothing" || !(yield* remove(path))) return []
        if ("request" in found) return [{ id, ...found }]
        yield* answer(run, id, found)
        return []
      }).pipe(Effect.orElseSucceed((): ReadonlyArray<Letter> => []))
    return Inbox.of({
      put: (run, request) =>
        Effect.gen(function* () {
          const actor = yield* Acting
          if (actor !== undefined) return spoken.put(run, request, actor)
          const id = ids.uuid()
          yield* Durable.makeFolderDurably(folderOf(run))
          yield* Durable.writeNewFileDurably(requestOf(run, id), LetterFile.textOf(run, request))
          return id
        }),
      answerTo: (run, id) =>
        Effect.gen(function* () {
          if (SpokenRequests.isSpoken(id)) return Option.fromUndefinedOr(spoken.answerTo(id))
          const text = yield* readIfThere(answerFile(run, id))
          if (Option.isNone(text)) return Option.none()
          yield* remove(answerFile(run, id))
          yield* removeIfEmpty(run)
          return decodeAnswer(text.value)
        }),
      withdraw: (run, id) =>
        SpokenRequests.isSpoken(id) ? Effect.sync(() => spoken.withdraw(run, id)) : remove(requestOf(run, id)),
      arrivals: Effect.fnUntraced(function* (run) {
        while (true) {
          yield* Effect.sleep(lookMillis)
          const here = spoken.take(run)
          if (here.length > 0) return here
          const names = yield* namesIn(run)
          if (names.length === 0) continue
          const letters = yield* Effect.uninterruptible(Effect.forEach(names, (name) => takeOne(run, name)))
          if (letters.flat().length > 0) return letters.flat()
        }
      }),
      answer: (run, id, given) =>
        SpokenRequests.isSpoken(id) ? Effect.sync(() => spoken.answer(id, given)) : answer(run, id, given),
      clear: Effect.fnUntraced(function* (run) {
        spoken.clear(run)
        if (!existsSync(folderOf(run))) return
        for (const name of yield* namesIn(run)) yield* Effect.ignore(remove(join(folderOf(run), name)))
        yield* removeIfEmpty(run)
      }),
    })
  })

/** An inbox that nobody writes to. */
export const layerNobody: Layer.Layer<Inbox> = Layer.succeed(Inbox, {
  put: () => Effect.never,
  answerTo: () => Effect.succeedNone,
  withdraw: () => Effect.succeed(false),
  arrivals: () => Effect.never,
  answer: () => Effect.void,
  clear: () => Effect.void,
})

/** Inboxes as folders below the given one. */
export const layer = (root: string): Layer.Layer<Inbox> => Layer.effect(Inbox, make(root))
