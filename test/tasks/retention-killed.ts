/**
 * Marks nothing, purges all that is ready, and kills its own process (SIGKILL) before the n-th operation on its services.
 * Arguments: project, n, now. Prints how many operations there were when it gets to the end.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ModelFiles } from "../../src/services/model-files.ts"
import { ModelRegistry } from "../../src/services/model-registry.ts"
import * as Place from "./retention-place.ts"

const [project = "", at, now] = process.argv.slice(2)
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
      return [name, (...args: ReadonlyArray<unknown>) => around(operation(...args))]
    }),
  ) as S

const services = Layer.mergeAll(
  Layer.effect(ModelFiles, Effect.map(ModelFiles, mortal)),
  Layer.effect(ModelRegistry, Effect.map(ModelRegistry, mortal)),
).pipe(Layer.provideMerge(Place.timed(project, Place.makeClock(Number(now)))))

await Place.purgeReady("killed").pipe(Effect.provide(services), Effect.scoped, Effect.runPromise)
process.stdout.write(String(operations))
