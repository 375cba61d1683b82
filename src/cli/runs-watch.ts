import * as Effect from "effect/Effect"
import { runStatus } from "../engine/run-state.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as StreamName from "../ledger/stream-name.ts"
import * as LeaseWaits from "../services/lease-waits.ts"
import { waitingText } from "../services/leases.ts"
import * as ExitCode from "./exit-code.ts"
import * as Hint from "./hint.ts"
import * as Output from "./output.ts"
import * as ProjectReaders from "./project-readers.ts"
import * as RecordedRun from "../engine/recorded-run.ts"
import * as RunView from "./render/run-view.ts"
import * as RunChoice from "./run-choice.ts"

/** Milliseconds between two looks at the run's stream. */
const interval = 300

const finished = "dev.dandori.run.finished.v1"

/** Shows a run that another process drives as `run` would, until it ends or nobody drives it; ends with its exit code. */
export const watchRun = Effect.fnUntraced(function* (name: string) {
  const { env, flags, home, project } = yield* ProjectReaders.find
  yield* Effect.gen(function* () {
    const id = yield* RunChoice.choose(name)
    const plan = yield* RecordedRun.planOf(home, yield* RecordedRun.read(home, id))
    const hint = yield* Hint.here
    const view = yield* RunView.make({ plan, project, json: flags.json, quiet: flags.quiet, hint })
    const ledger = yield* Ledger
    const told = new Map<string, string>()
    for (let shown = 0; ;) {
      const { entries } = yield* ledger.read(StreamName.ofRun(id))
      for (const entry of entries.slice(shown)) view.observer.onEvent({ ...RecordedRun.toEvent(entry, id), run: id })
      shown = entries.length
      const over = entries.at(-1)?.type === finished
      for (const [task, waiting] of over ? [] : yield* LeaseWaits.ofRun(home, id)) {
        if (told.get(task) !== waitingText(waiting)) view.observer.onWaiting(task, waiting)
        told.set(task, waitingText(waiting))
      }
      if (over || !(yield* ledger.owned(StreamName.ofRun(id)))) {
        const { state } = RecordedRun.factsOf(plan, yield* RecordedRun.read(home, id))
        yield* view.finish({ run: id, state })
        if (!over && runStatus(state) !== "waiting") {
          yield* Output.message(`Nobody drives this run. Go on with it: ${hint.either(`runs resume ${id}`)}`)
        }
        return yield* Output.exitWith(ExitCode.ofRun(runStatus(state)))
      }
      yield* Effect.sleep(interval)
    }
  }).pipe(Effect.scoped, Effect.provide(ProjectReaders.ledger({ project, home, env })))
})
