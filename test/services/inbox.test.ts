import * as Fs from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { type Request } from "../../src/domain/request.ts"
import { Acting } from "../../src/services/acting.ts"
import * as Inbox from "../../src/services/inbox.ts"

const run = "01900000-0000-7000-8000-000000000001"
const cancel: Request = { kind: "cancel", reason: "enough" }

const inInbox = <A, E>(use: (inbox: Inbox.Inbox["Service"], folder: string, root: string) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const root = yield* Effect.acquireRelease(
      Effect.promise(() => Fs.mkdtemp(join(tmpdir(), "dandori inbox-"))),
      (made) => Effect.promise(() => Fs.rm(made, { recursive: true, force: true })),
    )
    const folder = join(root, run)
    yield* Effect.promise(() => Fs.mkdir(folder))
    return yield* Effect.flatMap(Inbox.Inbox, (inbox) => use(inbox, folder, root)).pipe(
      Effect.provide(Layer.fresh(Inbox.layer(root))),
    )
  })

const refusal = (inbox: Inbox.Inbox["Service"], id: string) =>
  Effect.map(inbox.answerTo(run, id), (answer) =>
    Option.isSome(answer) && "refused" in answer.value ? answer.value.refused : undefined,
  )

describe("an inbox", () => {
  it.live("gives a request and the user whose it is", () =>
    inInbox((inbox) =>
      Effect.gen(function* () {
        const id = yield* inbox.put(run, cancel)
        const [letter] = yield* inbox.arrivals(run)
        assert.deepInclude(letter, { id, request: cancel })
        yield* inbox.answer(run, id, { done: true })
        assert.deepStrictEqual(yield* inbox.answerTo(run, id), Option.some({ done: true } as const))
      }),
    ),
  )

  it.live("gives what this process asks for somebody else as theirs, and to no other process", () =>
    inInbox((inbox, _folder, root) =>
      Effect.gen(function* () {
        const ann = { authid: "ann", authtype: "api_key" } as const
        const put = Effect.provideService(inbox.put(run, cancel), Acting, ann)
        const [id, withdrawn] = [yield* put, yield* put]
        yield* inbox.withdraw(run, withdrawn)
        assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(join(root, run))), [])
        assert.isTrue(Option.isNone(yield* inbox.answerTo(run, id)))
        const letters = yield* inbox.arrivals(run)
        assert.deepStrictEqual(letters, [{ id, request: cancel, by: "ann", actor: ann }])
        yield* inbox.answer(run, id, { done: true })
        assert.deepStrictEqual(yield* inbox.answerTo(run, id), Option.some({ done: true } as const))
        assert.isTrue(Option.isNone(yield* inbox.answerTo(run, id)))
        // An answer that nobody waits for any more is kept nowhere.
        yield* inbox.answer(run, withdrawn, { done: true })
        assert.isTrue(Option.isNone(yield* inbox.answerTo(run, withdrawn)))
        assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(join(root, run))), [])
      }),
    ),
  )

  it.live("refuses what is no request, with a reason, and goes on with what is one", () =>
    inInbox((inbox, folder, root) =>
      Effect.gen(function* () {
        const write = (name: string, text: string) => Fs.writeFile(join(folder, `${name}.request.json`), text)
        yield* Effect.promise(async () => {
          await write("00-garbage", "\u0000\u0001 no JSON")
          await write("01-cut", JSON.stringify({ run, request: cancel }).slice(0, -4))
          await write("02-empty", "")
          await write("03-unknown", JSON.stringify({ run, request: { kind: "explode" } }))
          await write("04-huge", JSON.stringify({ run, request: { ...cancel, reason: "x".repeat(2_000_000) } }))
        })
        const id = yield* inbox.put(run, cancel)
        const letters = yield* inbox.arrivals(run)
        assert.deepStrictEqual(
          letters.map((letter) => letter.id),
          [id],
        )
        assert.match((yield* refusal(inbox, "00-garbage")) ?? "", /no request that this version/)
        assert.match((yield* refusal(inbox, "01-cut")) ?? "", /no request that this version/)
        assert.match((yield* refusal(inbox, "02-empty")) ?? "", /no request that this version/)
        assert.match((yield* refusal(inbox, "03-unknown")) ?? "", /no request that this version/)
        assert.match((yield* refusal(inbox, "04-huge")) ?? "", /larger than/)
        assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(root)), [])
      }),
    ),
  )

  it.live("takes a request in no other form than the file that its user wrote for this run", () =>
    inInbox((inbox, folder, root) =>
      Effect.gen(function* () {
        const other = join(root, "somebody's.json")
        const text = JSON.stringify({ run, request: cancel })
        yield* Effect.promise(async () => {
          await Fs.writeFile(other, text)
          await Fs.symlink(other, join(folder, "00-link.request.json"))
          await Fs.link(other, join(folder, "01-hard.request.json"))
          await Fs.mkdir(join(folder, "02-folder.request.json"))
          await Fs.writeFile(join(folder, "03-other.request.json"), JSON.stringify({ run: "another", request: cancel }))
          await Bun.$`mkfifo ${join(folder, "04-pipe.request.json")}`
        })
        const id = yield* inbox.put(run, cancel)
        const letters = yield* inbox.arrivals(run)
        assert.deepStrictEqual(
          letters.map((letter) => letter.id),
          [id],
        )
        assert.match((yield* refusal(inbox, "00-link")) ?? "", /no plain file/)
        assert.match((yield* refusal(inbox, "03-other")) ?? "", /another run/)
        assert.match((yield* refusal(inbox, "04-pipe")) ?? "", /no plain file/)
        assert.strictEqual(yield* refusal(inbox, "01-hard"), undefined)
        assert.strictEqual(yield* Effect.promise(() => Fs.readFile(other, "utf8")), text)
      }),
    ),
  )
})
