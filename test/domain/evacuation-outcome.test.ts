import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Outcome from "../../src/domain/evacuation-outcome.ts"
import { Sha256 } from "../../src/domain/sha256.ts"

const digest = Sha256.make("a".repeat(64))
const about = { incident: "IR-1", folder: "/incidents/IR-1", drill: false, named: false, failed: [] }

/** An evacuation in which all went well. */
const whole: Outcome.EvacuationOutcome = {
  ...about,
  cordon: { raised: true },
  stop: { complete: true, remaining: [] },
  volatile: { ok: 10, skipped: 3, failed: 0, problems: [] },
  collect: { ok: 8, skipped: 1, failed: 0, problems: [] },
  push: {
    rung: "offsite",
    location: "s3://bucket/prefix",
    away: true,
    objects: 12,
    bytes: 1_000,
    sent: 1_000,
    notTaken: 0,
    complete: true,
    refusals: [],
  },
  manifest: { complete: true },
  verify: { verified: 12, failed: 0, problems: [], complete: true, latest: { moved: true } },
  recover: { complete: true, failed: [] },
  report: { markdown: "report.md", html: "report.html", sha256: digest },
}

const positive = fc.integer({ min: 1, max: 1_000 })
const parts = ["cordon", "stop", "volatile", "collect", "push", "manifest", "verify", "recover", "report"] as const

type Spoil = (outcome: Outcome.EvacuationOutcome) => Outcome.EvacuationOutcome

/** One thing that is wrong; it spoils what is there. */
const spoiled: fc.Arbitrary<Spoil> = fc.oneof(
  fc.constantFrom(...parts).map(
    (part): Spoil =>
      (o) =>
        Object.fromEntries(Object.entries(o).filter(([name]) => name !== part)) as never,
  ),
  fc.string().map((message): Spoil => (o) => ({ ...o, failed: [{ step: "cordon", message }] })),
  fc.string().map((problem): Spoil => (o) => ({ ...o, cordon: { raised: false, problem } })),
  fc
    .array(fc.record({ target: fc.string(), reason: fc.string() }), { minLength: 1, maxLength: 9 })
    .map((remaining): Spoil => (o) => ({ ...o, stop: { complete: true, remaining } })),
  fc.array(fc.record({ target: fc.string(), reason: fc.string() }), { minLength: 1, maxLength: 9 }).map(
    (startedAgain): Spoil =>
      (o) =>
        o.report ? { ...o, report: { ...o.report, startedAgain } } : o,
  ),
  fc.string().map((problem): Spoil => (o) => ({
    ...o,
    collect: { ok: 1, skipped: 0, failed: 0, problems: [problem] },
  })),
  positive.map((notTaken): Spoil => (o) => {
    const coverage = { seen: notTaken, taken: 0, notTaken, unstable: 0 }
    return o.verify ? { ...o, verify: { ...o.verify, coverage } } : o
  }),
  fc.constant<Spoil>((o) => ({ ...o, stop: { complete: false, remaining: [] } })),
  positive.map((failed): Spoil => (o) => ({ ...o, volatile: { ok: 1, skipped: 0, failed } })),
  positive.map((failed): Spoil => (o) => ({ ...o, collect: { ok: 1, skipped: 0, failed } })),
  positive.map(
    (notTaken): Spoil =>
      (o) =>
        o.push ? { ...o, push: { ...o.push, notTaken } } : o,
  ),
  fc.constant<Spoil>((o) => (o.push ? { ...o, push: { ...o.push, complete: false } } : o)),
  fc.constant<Spoil>((o) => (o.push ? { ...o, named: false, push: { ...o.push, away: false } } : o)),
  fc.constant<Spoil>((o) => ({ ...o, manifest: { complete: false } })),
  positive.map(
    (failed): Spoil =>
      (o) =>
        o.verify ? { ...o, verify: { ...o.verify, failed } } : o,
  ),
  fc.constant<Spoil>((o) => (o.verify ? { ...o, verify: { ...o.verify, complete: false } } : o)),
  fc.constant<Spoil>((o) => (o.verify ? { ...o, verify: { ...o.verify, verified: 0 } } : o)),
  fc.string().map(
    (problem): Spoil =>
      (o) =>
        o.verify ? { ...o, verify: { ...o.verify, problems: [problem] } } : o,
  ),
  fc.string().map((reason): Spoil => (o) => ({ ...o, recover: { complete: true, failed: [{ name: "api", reason }] } })),
  fc.constant<Spoil>((o) => ({ ...o, recover: { complete: false, failed: [] } })),
)

describe("the outcome of an evacuation", () => {
  it("is complete, with exit code 0, when all is complete and away", () => {
    assert.deepStrictEqual(Outcome.lacks(whole), [])
    assert.strictEqual(Outcome.standingOf(whole), "complete")
    assert.strictEqual(Outcome.exitCodeOf(whole), 0)
  })

  it("is never 0 when anything failed, was not taken, is unverified, remains or is missing, however much else does", () => {
    fc.assert(
      fc.property(fc.array(spoiled, { minLength: 1, maxLength: 6 }), fc.boolean(), (spoils, named) => {
        // What is taken away by one cannot be spoiled by the next, but stays away.
        const outcome = spoils.reduce<Outcome.EvacuationOutcome>((o, spoil) => spoil(o), { ...whole, named })
        const code = Outcome.exitCodeOf(outcome)
        assert.notStrictEqual(code, 0)
        assert.include([1, 14, 15], code)
        assert.isNotEmpty(Outcome.lacks(outcome))
      }),
      { numRuns: 2_000 },
    )
  })

  it("asks a drill for all but the cordon, the stop and the recovery", () => {
    const { cordon: _cordon, recover: _recover, stop: _stop, ...drill } = { ...whole, drill: true }
    assert.strictEqual(Outcome.exitCodeOf(drill), 0)
    for (const part of ["volatile", "collect", "push", "manifest", "verify", "report"] as const) {
      const { [part]: _, ...less } = drill
      assert.notStrictEqual(Outcome.exitCodeOf(less), 0, part)
    }
  })

  it("takes a place on this machine for enough only when the user named it", () => {
    const sealed = { ...whole, push: { ...whole.push!, rung: "sealed", away: false } }
    assert.strictEqual(Outcome.standingOf(sealed), "not-away")
    assert.strictEqual(Outcome.exitCodeOf(sealed), 14)
    assert.strictEqual(Outcome.exitCodeOf({ ...sealed, named: true }), 0)
  })

  it("is 15 when a destination is not to be trusted and no other away from here took everything", () => {
    const refusals = [{ rung: "offsite", reason: "it says ok and stores nothing", refused: true }]
    const push = { ...whole.push!, refusals }
    assert.strictEqual(Outcome.exitCodeOf({ ...whole, push: { ...push, away: false, rung: "sealed" } }), 15)
    assert.strictEqual(Outcome.exitCodeOf({ ...whole, push: { ...push, complete: false } }), 15)
    assert.strictEqual(Outcome.exitCodeOf({ ...whole, push }), 0)
    const away = [{ rung: "offsite", reason: "it does not answer", refused: false }]
    assert.strictEqual(Outcome.exitCodeOf({ ...whole, push: { ...push, complete: false, refusals: away } }), 14)
  })

  it("is 1 when nothing was kept at all", () => {
    assert.strictEqual(Outcome.exitCodeOf(about), 1)
    assert.strictEqual(
      Outcome.exitCodeOf({ ...whole, push: { ...whole.push!, objects: 0, complete: false, away: false } }),
      1,
    )
  })

  it("takes answers as the tasks gave them, with more in them, and one of another shape for none", () => {
    const { drill: _d, failed: _f, folder: _o, incident: _i, named: _n, ...answers } = whole
    const more = Object.fromEntries(Object.entries(answers).map(([step, answer]) => [step, { ...answer, more: [1] }]))
    assert.deepStrictEqual(Outcome.ofAnswers(about, { ...more, open: { id: "x" } }), whole)
    assert.strictEqual(Outcome.exitCodeOf(Outcome.ofAnswers(about, { ...answers, verify: "all is well" })), 14)
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...Outcome.steps), fc.jsonValue()), (given) => {
        assert.notStrictEqual(Outcome.exitCodeOf(Outcome.ofAnswers(about, given)), 0)
      }),
    )
  })
})
