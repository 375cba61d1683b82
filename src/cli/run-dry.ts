import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { compileFile } from "../compiler/compile-file.ts"
import * as Plan from "../domain/plan.ts"
import * as Sha256 from "../domain/sha256.ts"
import * as DryRun from "../engine/dry-run.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as Compiling from "./compiling.ts"
import * as ExitCode from "./exit-code.ts"
import * as Output from "./output.ts"
import * as Params from "./params.ts"
import { locate } from "./pipeline-files.ts"
import * as Project from "./project.ts"
import { clean, table } from "./render/line.ts"
import { who } from "./who.ts"

const words = (said: DryRun.Forecast): ReadonlyArray<string> => {
  switch (said._tag) {
    case "Would":
      return said.text.split("\n").map(clean)
    case "Pure":
      return ["computes; changes nothing outside"]
    case "Later":
      return [`known only in a run: it reads ${said.reads.slice(0, 3).join(", ")}`]
    case "Cannot":
      return [`cannot be dry-run; its effect happens ${said.effects}`]
    case "Fails":
      return [`would fail: ${clean(said.reason)}`]
  }
}

/** Says what each task of a pipeline would do, and changes nothing. Exit 1 when one of them would fail. */
export const dryRunPipeline = Effect.fnUntraced(function* (name: string | undefined, given: ReadonlyArray<string>) {
  const { env, flags, home, project } = yield* Project.find
  const { plan } = yield* compileFile(yield* locate(project, name)).pipe(Effect.provide(Compiling.layer(project, env)))
  const params = yield* Params.resolve(plan, given)
  const environment = yield* Params.environment(plan, process.env)
  const configuration = yield* SettingsFiles.load(project, env)
  const time = yield* Clock.currentTimeMillis
  const none = { name: "none", sha256: Sha256.of(""), bytes: 0, mediaType: "application/json" }
  const created = {
    type: "dev.dandori.run.created.v1",
    time,
    data: {
      pipeline: plan.id,
      plan: Plan.digest(plan),
      planArtifact: none,
      config: none,
      params,
      env: configuration.env,
      environment,
      capacity: Project.capacityOf(configuration),
      durability: "fsync",
      code: Sha256.of(""),
    },
  } as const
  const facts = {
    pipeline: plan.id,
    env: configuration.env,
    created: new Date(time).toISOString(),
    params,
    environment,
  }
  const said = yield* DryRun.forecast(plan, facts, created, who()).pipe(
    Effect.provide(Project.services({ project, home, configuration })),
  )
  const fails = said.some(({ _tag }) => _tag === "Fails")
  if (flags.json)
    yield* Effect.forEach(said, (one) => Output.json({ v: 1, kind: "forecast", ...one }), { discard: true })
  else {
    const rows = said.flatMap((one, i) => {
      const [first = "", ...more] = words(one)
      return [[one.task, plan.tasks[i].type, first], ...more.map((line) => ["", "", line])]
    })
    yield* Output.data(table(rows).join("\n"))
    yield* Output.message("No task was run. What a condition leaves out is known only in a run.")
  }
  yield* Output.exitWith(fails ? ExitCode.exitCodes.failed : ExitCode.exitCodes.ok)
}, Effect.scoped)
