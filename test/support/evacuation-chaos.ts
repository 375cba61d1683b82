import { dice } from "./engine-interpreter.ts"
import * as Disturbances from "./evacuation-disturbances.ts"
import * as End from "./evacuation-end.ts"
import * as Trials from "./evacuation-trial.ts"
import * as Resent from "./evacuation-resent.ts"
import { hasStackTrace } from "./sample-project.ts"

/** How a campaign goes: evacuations are disturbed until there were so many disturbances. */
export interface Campaign {
  readonly kills: number
  readonly seed: number
  readonly kinds?: ReadonlyArray<Disturbances.Kind>
  /** The built binary; where none is given it is built. */
  readonly binary?: string
  /** With smaller large files, for a short campaign. */
  readonly light?: boolean
  /** Of so many evacuations one is no drill: processes are stopped. By default of 6. */
  readonly stopsOneOf?: number
  /** Breaks something after an evacuation has ended with 0: a campaign that finds nothing then is worth nothing. */
  readonly spoil?: (place: Trials.Place, trial: Trials.Trial) => Promise<void>
  readonly say?: (line: string) => void
}

/** What a campaign came to. `faults` is empty when every promise holds. */
export interface Tally {
  seconds: number
  evacuations: number
  calls: number
  /** Disturbances that took place, by kind; and by the step that ran last. */
  total: number
  readonly kinds: Record<string, number>
  readonly hits: Record<string, number>
  /** How calls ended, by exit code or signal. */
  readonly codes: Record<string, number>
  /** How many calls that nothing disturbed were needed, where one was not enough. */
  readonly slow: Record<string, number>
  /** Objects and parts that were sent, and bytes that went over the wire. */
  sent: number
  bytes: number
  readonly faults: Array<string>
}

const patienceMillis = 240_000
/** So many calls without a disturbance an evacuation may need. */
const mostCalls = 6
/** So many faults of one evacuation are enough to look at. */
const mostFaults = 20
/** So many evacuations with faults are enough to look at. */
const mostFaulty = 3

const count = (of: Record<string, number>, name: string) => void (of[name] = (of[name] ?? 0) + 1)

type Fault = (what: string) => void

/** Calls once, with or without a disturbance; what holds after each call is checked. */
const callOnce = async (
  place: Trials.Place,
  trial: Trials.Trial,
  disturbance: Disturbances.Disturbance | undefined,
  tally: Tally,
  fault: Fault,
) => {
  const [before, captures] = [await Resent.kept(place, trial), await Resent.volatile(trial)]
  place.wire.begin()
  const began = performance.now()
  const steps: Array<{ readonly step: string; readonly millis: number }> = []
  const call = Trials.call(place, trial, patienceMillis, (step) => {
    steps.push({ step, millis: performance.now() - began })
    armed?.onStep(step)
  })
  let struck = false
  const done = () => {
    struck = true
    tally.total++
    count(tally.kinds, disturbance?.kind ?? "none")
    count(tally.hits, steps.at(-1)?.step ?? "start")
  }
  const armed = disturbance && Disturbances.arm(disturbance, trial, call, place.wire, done)
  const ended = await call.ended
  armed?.end()
  tally.calls++
  tally.sent += place.wire.sent.length
  tally.bytes += place.wire.passed("up")
  count(tally.codes, ended.signal ?? String(ended.code))
  for (const each of Resent.again(place.wire.sent, before)) fault(each)
  const now = await Resent.volatile(trial)
  for (const [name, sha256] of captures) if (now.get(name) !== sha256) fault(`the capture ${name} was changed`)
  if (ended.millis >= patienceMillis) fault("it did not end")
  if (hasStackTrace(ended.err)) fault(`it says where in the program it failed: ${ended.err.slice(-800)}`)
  if (ended.code !== 0) await End.checkLatest(place, trial, fault)
  return { ended, struck, steps, up: place.wire.passed("up"), down: place.wire.passed("down") }
}

/** Evacuations with disturbances until there were enough of them; each is called again until it ends with 0. */
export const campaign = async ({ kills, seed, kinds = Disturbances.kinds, ...options }: Campaign): Promise<Tally> => {
  const { light = false, say = () => {}, spoil, stopsOneOf = 6 } = options
  const began = performance.now()
  const tally: Tally = {
    seconds: 0,
    evacuations: 0,
    calls: 0,
    total: 0,
    kinds: {},
    hits: {},
    codes: {},
    slow: {},
    sent: 0,
    bytes: 0,
    faults: [],
  }
  const lacks = Trials.lacksDisks()
  const able = kinds.filter((kind) => kind !== "disk" || lacks === undefined)
  if (able.length < kinds.length) say(lacks ?? "")
  const place = await Trials.open(seed, options)
  let undisturbed: Disturbances.Undisturbed | undefined
  let faulty = 0

  const evacuation = async (number: number) => {
    const draw = dice(seed * 10_007 + number)
    const drawn = able[draw(able.length)]
    // A short campaign has each kind in turn: by chance one would often be missing.
    const kind = light ? able[number % able.length] : drawn
    const stops = number > 0 ? draw(stopsOneOf) === 0 : spoil !== undefined && stopsOneOf === 1
    const trial = await Trials.trial(place, number, { stops, small: kind === "disk" })
    const history: Array<string> = []
    const found: Array<string> = []
    const fault: Fault = (what) => {
      if (found.length >= mostFaults || found.includes(what)) return
      found.push(what)
      tally.faults.push(`evacuation ${number}, call ${history.length}: ${what}`)
      say(`FAULT in evacuation ${number}${stops ? " that stops" : ""}, call ${history.length}: ${what}`)
    }
    let calm = 0
    let last: Trials.Ended | undefined
    // The first one shows what an evacuation takes that nothing disturbs.
    let disturbances = undisturbed === undefined || kind === undefined ? 0 : 1 + draw(3)
    while (last?.code !== 0 && calm < mostCalls) {
      const isDisturbed = disturbances-- > 0
      const wanted =
        isDisturbed && kind !== undefined && undisturbed ? Disturbances.draw(draw, kind, undisturbed) : undefined
      if (!isDisturbed) calm++
      const { down, ended, steps, struck, up } = await callOnce(place, trial, wanted, tally, fault)
      undisturbed ??= { millis: ended.millis, up, down, steps }
      last = ended
      if (!isDisturbed && ended.code !== 0) {
        say(`evacuation ${number}: undisturbed, and ${ended.code}: ${ended.out.slice(-900)} ${ended.err.slice(-900)}`)
        for (const line of history) say(`  ${line}`)
      }
      history.push(
        `${struck ? JSON.stringify(wanted) : "calm"} ${ended.signal ?? ended.code} ${Math.round(ended.millis)} ms`,
      )
    }
    if (calm > 1) count(tally.slow, String(calm))
    if (last?.code === 0) {
      await spoil?.(place, trial)
      await End.check(place, trial, fault)
      const again = draw(4) === 0 || spoil !== undefined
      if (again) {
        const { ended } = await callOnce(place, trial, undefined, tally, fault)
        if (ended.code !== 0)
          fault(`called again after all was done it ends with ${ended.code}: ${ended.err.slice(-600)}`)
      }
    } else fault(`it never ended with 0: ${last?.code} ${last?.out.slice(-1_500)} ${last?.err.slice(-1_500)}`)
    if (found.length > 0) {
      faulty++
      for (const line of history) say(`  ${line}`)
    }
    const keep = found.length > 0 && spoil === undefined
    if (keep) say(`kept: ${trial.root}`)
    await trial.end(keep)
    tally.evacuations++
    say(
      `evacuation ${number}${stops ? " that stops" : ""}: ${history.length} calls, ${tally.total} of ${kills} disturbances`,
    )
  }

  try {
    for (let number = 0; (number === 0 || tally.total < kills) && faulty < mostFaulty; number++)
      await evacuation(number)
  } catch (cause) {
    tally.faults.push(`the campaign itself: ${cause instanceof Error ? cause.stack : String(cause)}`)
  }
  const keep = faulty > 0 && spoil === undefined
  if (keep) say(`kept: ${place.folder}`)
  await place.close(keep)
  tally.seconds = Math.round((performance.now() - began) / 1_000)
  return tally
}
