import { assert, describe, it } from "@effect/vitest"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as CompileChild from "../../src/services/compile-child.ts"
import * as CompileProcess from "../../src/services/compile-process.ts"

/** A program that reads the line that names its file, as a JSON text, and goes on as a shell script says. */
const told = (script: string) => ["sh", "-c", `read -r file <&3; ${script}`]

const answered = (script: string, limitMillis = 20_000) =>
  CompileChild.evaluate("one.ts", limitMillis).pipe(
    Effect.map(({ answer }) => answer),
    Effect.scoped,
    Effect.provideService(CompileChild.CompileProgram, told(script)),
  )

const isThere = (pid: unknown) => {
  try {
    return process.kill(Number(pid), 0)
  } catch {
    return false
  }
}

const untilGone = (...pids: ReadonlyArray<unknown>) =>
  Effect.repeat(
    Effect.sync(() => pids.some(isThere)),
    { while: (there) => there, schedule: Schedule.spaced(20) },
  ).pipe(Effect.timeout("20 seconds"))

describe("the child that evaluates a pipeline file", () => {
  it.live("is told its file", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* answered(`echo "$file" >&3`), "one.ts")
    }),
  )

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
        Effect.provideService(CompileChild.CompileProgram, told(script)),
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
        Effect.provideService(CompileChild.CompileProgram, told(script)),
        Effect.scoped,
      )
      assert.deepStrictEqual(yield* both, [1, 2])
    }),
  )

  it.live("has ended when it is no longer needed, by itself or not", () =>
    Effect.gen(function* () {
      assert.isFalse(isThere(yield* answered(`echo $$ >&3; head -c 1 <&3`)))
      yield* untilGone(yield* answered(`echo $$ >&3; exec sleep 60`))
    }),
  )

  it.live("that is gone when it is asked is told so", () =>
    Effect.gen(function* () {
      const gone = CompileChild.evaluate("one.ts", 20_000).pipe(
        Effect.flatMap(({ further }) => further),
        Effect.provideService(CompileChild.CompileProgram, told(`printf '1\\n' >&3; kill -9 $$`)),
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

describe("a prepared process", () => {
  it.live("is the one that is told the next file, once, and only by who asks for its program", () =>
    Effect.gen(function* () {
      const script = `printf '{"pid":%d,"file":%s}\n' $$ "$file" >&3; head -c 1 <&3`
      const prepared = CompileProcess.prepare(told(script))
      assert.strictEqual(yield* answered(`echo "$file" >&3`), "one.ts")
      const first = yield* answered(script)
      const second = yield* answered(script)
      const [ours, another] = [first, second] as ReadonlyArray<{ readonly pid: number; readonly file: string }>
      assert.deepStrictEqual([ours.file, another.file], ["one.ts", "one.ts"])
      assert.strictEqual(ours.pid, prepared)
      assert.notStrictEqual(another.pid, prepared)
      yield* untilGone(ours.pid, another.pid)
    }),
  )

  it.live("ends with the program that never needed it, and holds it up no longer", () =>
    Effect.gen(function* () {
      const module = fileURLToPath(new URL("../../src/services/compile-process.ts", import.meta.url))
      const program = `const { prepare } = await import(${JSON.stringify(module)})
console.error(prepare(["sh", "-c", "exec cat <&3 >/dev/null"]))`
      const { stderr } = yield* Effect.promise(() => Bun.$`${process.execPath} -e ${program}`.quiet())
      yield* untilGone(stderr.toString().trim())
    }),
  )

  it.live("ends before long when nobody tells it a file", () =>
    Effect.gen(function* () {
      const waiting = CompileProcess.prepare(["sh", "-c", "exec cat <&3 >/dev/null"])
      assert.isTrue(isThere(waiting))
      yield* untilGone(waiting)
    }),
  )
})
