/**
 * One pass of data-purge that kills its own process (SIGKILL) before, in the middle of, or after the n-th change of the
 * file system. Arguments: project, n (0 lives), now. Prints how many such places there were.
 */
import { mock } from "bun:test"
import Files from "node:fs/promises"
import { join } from "node:path"

// A copy: the module itself is replaced.
const Real = { ...Files }
const [root = "", at, now] = process.argv.slice(2)
let places = 0
const place = () => {
  places++
  if (places === Number(at)) process.kill(process.pid, "SIGKILL")
}
const mortal =
  <A extends ReadonlyArray<never>>(change: (...args: A) => Promise<unknown>) =>
  async (...args: A) => {
    place()
    const answer = await change(...args)
    place()
    return answer
  }

/** As `rm` of a folder, one file after the other. */
const removeSlowly = async (path: string): Promise<void> => {
  for (const entry of await Real.readdir(path, { withFileTypes: true }).catch(() => [])) {
    place()
    if (entry.isDirectory()) await removeSlowly(join(path, entry.name))
    else await Real.unlink(join(path, entry.name))
  }
  await Real.rm(path, { recursive: true, force: true })
}

const changed = {
  ...Real,
  rename: mortal(Real.rename),
  unlink: mortal(Real.unlink),
  rmdir: mortal(Real.rmdir),
  rm: mortal(removeSlowly),
}
void mock.module("node:fs/promises", () => ({ ...changed, default: changed }))

const Effect = await import("effect/Effect")
const Place = await import("./data-place.ts")
const { makeClock } = await import("./retention-place.ts")
const output = await Place.pass("killed").pipe(
  Effect.provide(Place.services(root, makeClock(Number(now)))),
  Effect.scoped,
  Effect.runPromise,
)
process.stdout.write(JSON.stringify({ places, output }))
