/** Seeds the same two months again and again, beside another process, until it is killed. Arguments: project, now. Prints a line for each time. */
import * as Effect from "effect/Effect"
import * as Place from "./data-place.ts"
import { makeClock } from "./retention-place.ts"

const [root = "", now] = process.argv.slice(2)
const once = Effect.gen(function* () {
  const { dataset } = yield* Place.seedMonths("seeding", ["2020-01", "2020-02"])
  process.stdout.write(`${JSON.stringify(dataset.partitions.map(({ path, sha256 }) => ({ path, sha256 })))}\n`)
})
await Effect.forever(once).pipe(
  Effect.provide(Place.services(root, makeClock(Number(now)))),
  Effect.scoped,
  Effect.runPromise,
)
