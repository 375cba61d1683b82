import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Artifacts } from "../../src/services/artifacts.ts"
import * as Schemas from "../fixtures/schemas/in-toto.ts"
import { problems } from "../support/conforms.ts"
import * as Project from "./fixtures/project.ts"

/** The envelope and the statement of a receipt, as another program would read them. */
const receiptOf = Effect.fnUntraced(function* (home: string, verdict: "PASSED" | "FAILED") {
  const { receipt } = yield* Project.writeGatedRun(home, Project.runId(1), "model bytes", verdict)
  const envelope = JSON.parse(new TextDecoder().decode(yield* (yield* Artifacts).get(receipt.sha256)))
  return { envelope, statement: JSON.parse(Buffer.from(envelope.payload, "base64").toString("utf8")) }
})

describe("a receipt", () => {
  for (const verdict of ["PASSED", "FAILED"] as const) {
    it.live(
      `is a DSSE envelope around an in-toto Statement v1 with a Test Result v0.1 when the gate says ${verdict}`,
      () =>
        Effect.gen(function* () {
          const home = yield* Project.folder
          const { envelope, statement } = yield* receiptOf(home, verdict).pipe(Effect.provide(Project.projectAt(home)))
          assert.deepStrictEqual(problems(Schemas.envelope, envelope), [])
          assert.deepStrictEqual(problems(Schemas.testResult, statement), [])
          assert.strictEqual(statement.predicate.result, verdict)
        }),
    )
  }

  it.live("no longer conforms when a field that the specification wants is gone or of another form", () =>
    Effect.gen(function* () {
      const home = yield* Project.folder
      const { envelope, statement } = yield* receiptOf(home, "PASSED").pipe(Effect.provide(Project.projectAt(home)))
      const { predicate, subject } = statement
      const wrong = [
        problems(Schemas.envelope, { ...envelope, signatures: [] }),
        problems(Schemas.envelope, { ...envelope, payload: "no base64!" }),
        problems(Schemas.testResult, { ...statement, subject: [] }),
        problems(Schemas.testResult, { ...statement, subject: [{ name: subject[0].name }] }),
        problems(Schemas.testResult, { ...statement, subject: [{ digest: { sha256: "ABC" } }] }),
        problems(Schemas.testResult, { ...statement, predicate: { ...predicate, result: "OK" } }),
        problems(Schemas.testResult, {
          ...statement,
          predicate: { ...predicate, configuration: [{ name: "policy" }] },
        }),
      ]
      assert.deepStrictEqual(
        wrong.filter((found) => found.length === 0),
        [],
      )
    }),
  )
})
