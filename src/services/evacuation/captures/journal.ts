import * as Effect from "effect/Effect"
import { type Capture, CaptureFailed, NothingToTake } from "./capture.ts"
import * as Program from "./program.ts"

/** The last 2,000 lines of the journal of systemd. */
export const capture: Capture = (lines, { maxBytes }) =>
  Effect.gen(function* () {
    const argv = ["journalctl", "--no-pager", "-n", "2000", "-o", "short-iso"]
    const said = yield* Program.run({ argv, cwd: "/", maxBytes })
    const problem = said.stderr.trim().split("\n")[0]
    if (/No journal files were found|No entries/i.test(said.stderr + said.stdout.slice(0, 200)))
      return yield* new NothingToTake({ reason: "there is no journal on this machine" })
    lines.add(said.stdout)
    if (!said.whole) lines.cut()
    if (said.exitCode !== 0)
      return yield* new CaptureFailed({ reason: `journalctl ended with ${said.exitCode}: ${problem}` })
    if (problem !== "") lines.add(`# journalctl says: ${problem}`)
  })
