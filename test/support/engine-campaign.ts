import * as Fs from "node:fs/promises"
import * as Effect from "effect/Effect"
import * as Chaos from "./engine-chaos.ts"
import { dice } from "./engine-interpreter.ts"
import * as Project from "./engine-project.ts"

/** What a campaign of kills came to. `faults` names the seed of the project in which something was wrong. */
export interface Tally {
  kills: number
  runs: number
  resumed: number
  repairs: number
  readonly faults: Array<string>
}

/** Where the next blow falls: at birth, in the run at a fraction of a millisecond, or right after some event. */
const nextBlow = (draw: (below: number) => number): Chaos.Blow => {
  const pick = draw(10)
  if (pick === 0) return { _tag: "Birth", millis: draw(400_000) / 1_000 }
  if (pick < 6) return { _tag: "Ready", millis: draw(60_000) / 1_000 }
  return { _tag: "Events", count: 1 + draw(18) }
}

/** Kills the processes of one project's run up to six times, lets it end, and looks at what is left. */
const oneRun = Effect.fnUntraced(function* (seed: number, tally: Tally) {
  const draw = dice(seed)
  const { project } = yield* Project.temporary
  const fault = (what: string) => void tally.faults.push(`seed ${seed}: ${what}`)
  for (let blows = 1 + draw(6); blows >= 0; blows--) {
    const blow: Chaos.Blow = blows === 0 ? { _tag: "None" } : nextBlow(draw)
    const ended = yield* Effect.promise(() => Chaos.live(project, blow))
    if (ended.signal === "SIGKILL") tally.kills++
    else if (ended.exitCode !== 0) fault(`exit ${ended.exitCode}: ${ended.output}`)
  }
  const found = yield* Chaos.faultsOf(project)
  found.faults.forEach(fault)
  tally.runs++
  tally.resumed += found.resumed
  tally.repairs += found.repairs
  if (found.faults.length > 0) {
    const kept = `${project}-fault`
    yield* Effect.promise(() => Fs.cp(project, kept, { recursive: true }))
    fault(`its project is kept in ${kept}`)
  }
}, Effect.scoped)

/** Goes on until so many processes have been killed, two projects at a time. */
export const campaign = Effect.fnUntraced(function* (options: { readonly kills: number; readonly seed: number }) {
  const tally: Tally = { kills: 0, runs: 0, resumed: 0, repairs: 0, faults: [] }
  let next = options.seed
  const lane = Effect.gen(function* () {
    while (tally.kills < options.kills && tally.faults.length === 0) yield* oneRun(next++, tally)
  })
  yield* Effect.all([lane, lane], { concurrency: "unbounded", discard: true })
  return tally
})
