/**
 * Publishes a version and kills its own process (SIGKILL) before the n-th operation on its services.
 * Arguments: project, version, n. Prints how many operations there were when it gets to the end.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Artifacts } from "../../../src/services/artifacts.ts"
import { Evidence } from "../../../src/services/evidence.ts"
import { ModelFiles } from "../../../src/services/model-files.ts"
import { ModelRegistry } from "../../../src/services/model-registry.ts"
import publish from "../../../tasks/publish/index.ts"
import * as Stage from "./stage.ts"

const [project, version, at] = process.argv.slice(2)
let operations = 0
const tick = Effect.sync(() => {
  operations++
  if (operations === Number(at)) process.kill(process.pid, "SIGKILL")
})

type AnyEffect = Effect.Effect<unknown, unknown, unknown>
/** Counts before and after each operation, so that a commit that nobody heard of is a place to die too. */
const around = (effect: AnyEffect) => tick.pipe(Effect.andThen(effect), Effect.tap(tick))
const mortal = <S extends object>(service: S): S =>
  Object.fromEntries(
    Object.entries(service).map(([name, member]) => {
      if (Effect.isEffect(member)) return [name, around(member as AnyEffect)]
      const operation = member as (...args: ReadonlyArray<unknown>) => AnyEffect
      return [name, name === "pathOf" ? operation : (...args: ReadonlyArray<unknown>) => around(operation(...args))]
    }),
  ) as S

const services = Layer.mergeAll(
  Layer.effect(ModelFiles, Effect.map(ModelFiles, mortal)),
  Layer.effect(ModelRegistry, Effect.map(ModelRegistry, mortal)),
  Layer.effect(
    Evidence,
    Effect.map(Evidence, ({ receiptsFor, sign, ...rest }) => ({ ...rest, ...mortal({ receiptsFor, sign }) })),
  ),
  Layer.effect(Artifacts, Effect.map(Artifacts, mortal)),
).pipe(Layer.provideMerge(Stage.services(project)))

await Effect.gen(function* () {
  const model = yield* Stage.model(version).pipe(Effect.provide(Stage.services(project)))
  yield* publish.run({ model })
}).pipe(Effect.provide(Layer.mergeAll(services, Stage.attempt("crashed"))), Effect.scoped, Effect.runPromise)
process.stdout.write(String(operations))
