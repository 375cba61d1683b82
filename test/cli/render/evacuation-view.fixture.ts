import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Hint from "../../../src/cli/hint.ts"
import * as EvacuationView from "../../../src/cli/render/evacuation-view.ts"
import * as Watched from "./evacuation-watched.ts"

/** Shows a made-up evacuation as its first argument says, of the incident's folder that is the second. */
const [, , how, folder] = process.argv

await Effect.runPromise(
  Effect.gen(function* () {
    const view = yield* EvacuationView.make({
      plan: Watched.plan,
      project: "/srv/project",
      deadline: undefined,
      named: undefined,
      drill: false,
      json: how === "json",
      quiet: how === "quiet",
      hint: Hint.of({ env: Option.none(), server: Option.none() }),
    })
    const events = Watched.events(folder)
    for (const event of how === "left" ? events.slice(0, 6) : events) view.observer.onEvent(event)
    if (how === "left") return yield* view.left
    yield* view.finish(view.outcome())
  }).pipe(Effect.scoped),
)
