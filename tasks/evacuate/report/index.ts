import { join } from "node:path"
import * as Effect from "effect/Effect"
import { taskType } from "../../../src/authoring/task-type.ts"
import * as Sha256 from "../../../src/domain/sha256.ts"
import { Artifacts } from "../../../src/services/artifacts.ts"
import { Incidents } from "../../../src/services/evacuation/incident/incidents.ts"
import * as PostMortem from "../../../src/services/evacuation/report/post-mortem.ts"
import * as Promises from "../../../src/services/evacuation/report/promises.ts"
import * as Destination from "./destination.ts"
import { gather } from "./given.ts"
import { Input, Output, ReportLost } from "./schema.ts"

/** What came of an effect, or why it failed, as one more problem. */
const orProblem = <A, E extends { readonly message: string }, R>(effect: Effect.Effect<A, E, R>, what: string) =>
  Effect.match(effect, {
    onSuccess: (value) => ({ value, problems: [] as ReadonlyArray<string> }),
    onFailure: ({ message }) => ({ value: undefined, problems: [`${what}: ${message}`] as ReadonlyArray<string> }),
  })

/**
 * Writes the post-mortem record of an incident, in its folder, as artifacts, and to the destination; of a drill it judges
 * the promises. What people have written into an earlier record stays. It fails only where the record can be kept nowhere.
 */
export default taskType({
  type: "evacuate/report",
  version: 1,
  description: "Writes the post-mortem record of an incident; what people have written into it stays",
  input: Input,
  output: Output,
  errors: {
    IncidentMissing: "there is no such incident here",
    ReportLost: "the record could be kept nowhere",
  },
  effects: "idempotent",
  config: ["evacuation", "storage"],
  dryRun: ({ incident }) => Effect.succeed(`would write the post-mortem record of ${incident} and send it away`),
  run: Effect.fn("evacuate/report")(function* ({ incident: id }: typeof Input.Type) {
    const folder = yield* (yield* Incidents).find(id)
    const given = yield* gather(folder)
    const { drill } = folder.incident
    const told = drill
      ? [
          yield* orProblem(Promises.keep(folder, given.promises), "the promises are not kept in the folder"),
          yield* orProblem(Promises.notify(folder, given.promises), "nobody was told of the drill"),
        ]
      : []
    // An earlier record that cannot be read is not written over: the new one goes to the other places.
    const over = yield* orProblem(PostMortem.make(given), "not in the folder, whose record cannot be read or kept")
    const written = over.value ?? PostMortem.compose(given, undefined)
    const { html, keptAs, markdown } = written
    const artifacts = yield* Artifacts
    const here = yield* orProblem(
      Effect.as(
        over.value === undefined ? Effect.void : PostMortem.write(folder.path, written),
        over.value !== undefined,
      ),
      "not in the folder",
    )
    const stored = yield* orProblem(
      Effect.all([
        artifacts.put("report.md", "text/markdown", markdown),
        artifacts.put("report.html", "text/html", html),
      ]),
      "not among the artifacts",
    )
    const sent = yield* Destination.send(folder, { "report.md": markdown, "report.html": html })
    const problems = [...told, over, here, stored, sent].flatMap((each) => each.problems).slice(0, 20)
    if (here.value !== true && stored.value === undefined && sent.location === undefined) {
      return yield* new ReportLost({ folder: folder.path, problems })
    }
    const kept = given.promises.filter((promise) => promise.kept).length
    return {
      markdown: join(folder.path, "report.md"),
      html: join(folder.path, "report.html"),
      sha256: Sha256.of(markdown),
      reports: stored.value ?? [],
      ...(sent.location === undefined ? {} : { location: sent.location }),
      ...(keptAs === undefined ? {} : { keptAs }),
      ...(drill ? { promises: { kept, missed: given.promises.length - kept } } : {}),
      startedAgain: given.outcome.startedAgain ?? [],
      problems,
    }
  }),
})
