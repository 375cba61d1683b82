import * as Effect from "effect/Effect"
import { type Capture, CaptureFailed, NothingToTake } from "./capture.ts"
import * as Program from "./program.ts"

const questions: ReadonlyArray<ReadonlyArray<string>> = [
  ["nvidia-smi"],
  ["nvidia-smi", "-q"],
  ["rocm-smi", "--showallinfo"],
]

/** What the tools of NVIDIA and AMD say of their devices. */
export const capture: Capture = (lines, { maxBytes }) =>
  Effect.gen(function* () {
    let asked = 0
    const problems: Array<string> = []
    for (const argv of questions) {
      const said = yield* Program.runIfThere({ argv, cwd: "/", maxBytes })
      if (said === undefined) continue
      asked++
      lines.add(`$ ${argv.join(" ")}`)
      lines.add(said.stdout)
      if (!said.whole) lines.cut()
      if (said.exitCode !== 0)
        problems.push(
          `${argv.join(" ")} ended with ${said.exitCode}: ${(said.stderr || said.stdout).trim().split("\n")[0]}`,
        )
    }
    if (asked === 0) return yield* new NothingToTake({ reason: "there is neither nvidia-smi nor rocm-smi" })
    if (problems.length > 0) return yield* new CaptureFailed({ reason: problems.join("; ") })
  })
