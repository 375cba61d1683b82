import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as CompileChild from "../../src/services/compile-child.ts"

const answered = (script: string, limitMillis = 20_000) =>
  CompileChild.evaluate("one.ts", limitMillis).pipe(
    Effect.map(({ answer }) => answer),
    Effect.scoped,
    Effect.provideService(CompileChild.CompileProgram, ["sh", "-c", script]),
  )

describe("the child that evaluates a pipeline file", () => {
  it.live("is heard to the end, though its process is gone before its answer has come", () =>
    Effect.gen(function* () {
      const late = `setsid sh -c 'sleep 0.3; printf "{\\"late\\":true}" >&3' & exit 0`
      assert.deepStrictEqual(yield* answered(late), { late: true })
    }),
  )

  it.live("that ends without an answer, or by a signal, is told from one that cannot be started", () =>
    Effect.gen(function* () {
      const reasonOf = (script: string) =>
        answered(script).pipe(
          Effect.flip,
          Effect.map(({ message }) => message),
        )
      assert.match(yield* reasonOf("exit 0"), /ended with exit code 0 before it was done/)
      assert.match(yield* reasonOf("kill -9 $$"), /ended with signal SIGKILL before it was done/)
      assert.match(yield* reasonOf(`printf "{" >&3`), /its answer was cut off/)
      const missing = CompileChild.evaluate("one.ts", 20_000).pipe(
        Effect.provideService(CompileChild.CompileProgram, ["/no/such/program"]),
        Effect.flip,
      )
      assert.match((yield* missing).message, /ENOENT/)
    }),
  )

  it.live("hands parts on in their order, and then answers", () =>
    Effect.gen(function* () {
      const parts: Array<unknown> = []
      const script = `printf '[1' >&3; sleep 0.05; printf ',"ä"]\n[2]\n{"x"' >&3; sleep 0.05; printf ':3}\n' >&3`
      const { answer } = yield* CompileChild.evaluate("one.ts", 20_000, (part) => void parts.push(part)).pipe(
        Effect.provideService(CompileChild.CompileProgram, ["sh", "-c", script]),
        Effect.scoped,
      )
      assert.deepStrictEqual(parts, [[1, "ä"], [2]])
      assert.deepStrictEqual(answer, { x: 3 })
    }),
  )

  it.live("that ends after its parts, before its answer, has failed", () =>
    Effect.gen(function* () {
      assert.match((yield* Effect.flip(answered(`printf '[1]\n' >&3`))).message, /its answer was cut off/)
    }),
  )

  it.live("says more when it is asked", () =>
    Effect.gen(function* () {
      const script = `printf '1\\n' >&3; head -c 1 <&3 >/dev/null; printf '2\\n' >&3`
      const both = CompileChild.evaluate("one.ts", 20_000).pipe(
        Effect.flatMap(({ answer, further }) => Effect.map(further, (more) => [answer, more])),
        Effect.provideService(CompileChild.CompileProgram, ["sh", "-c", script]),
        Effect.scoped,
      )
      assert.deepStrictEqual(yield* both, [1, 2])
    }),
  )

  it.live("has ended when it is no longer needed, by itself or not", () =>
    Effect.gen(function* () {
      const isThere = (pid: unknown) => {
        try {
          return process.kill(Number(pid), 0)
        } catch {
          return false
        }
      }
      assert.isFalse(isThere(yield* answered(`echo $$ >&3; head -c 1 <&3`)))
      const stuck = yield* answered(`echo $$ >&3; exec sleep 60`)
      yield* Effect.repeat(
        Effect.sync(() => isThere(stuck)),
        { while: (there) => there, schedule: Schedule.spaced(20) },
      ).pipe(Effect.timeout("20 seconds"))
    }),
  )

  it.live("that is gone when it is asked is told so", () =>
    Effect.gen(function* () {
      const gone = CompileChild.evaluate("one.ts", 20_000).pipe(
        Effect.flatMap(({ further }) => further),
        Effect.provideService(CompileChild.CompileProgram, ["sh", "-c", `printf '1\\n' >&3; kill -9 $$`]),
        Effect.scoped,
        Effect.flip,
      )
      assert.match((yield* gone).message, /ended with signal SIGKILL before it was done/)
    }),
  )

  it.live("that takes too long is stopped", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(answered("sleep 60", 200))
      assert.strictEqual(error._tag, "PipelineTooSlow")
    }),
  )
})
