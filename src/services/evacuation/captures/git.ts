import { join } from "node:path"
import * as Effect from "effect/Effect"
import { Workspace } from "../../workspace.ts"
import { type Capture, NothingToTake } from "./capture.ts"
import * as GitFiles from "./git-files.ts"
import * as Machine from "./machine-files.ts"
import * as Program from "./program.ts"

/** What is asked of git, without writing anything: also no index that it finds outdated. */
const questions: ReadonlyArray<ReadonlyArray<string>> = [
  ["status", "--porcelain=v1", "--branch"],
  ["diff", "--stat", "HEAD"],
  ["log", "-20", "--format=%H %cI %an%d %s"],
]

/** The project's commit, branch, what is changed and the last 20 commits; by the files alone where there is no git. */
export const capture: Capture = (lines, { maxBytes }) =>
  Effect.gen(function* () {
    const { project } = yield* Workspace
    const head = GitFiles.read(project)
    if (head === undefined) return yield* new NothingToTake({ reason: "the project is in no git repository" })
    lines.add(`tree=${head.tree}`)
    lines.add(`head=${head.head}`)
    lines.add(`branch=${head.branch ?? ""}`)
    lines.add(`commit=${head.commit ?? ""}`)
    for (const question of questions) {
      const said = yield* Program.runIfThere({
        argv: ["git", "--no-pager", ...question],
        cwd: project,
        maxBytes,
        env: { GIT_OPTIONAL_LOCKS: "0", GIT_TERMINAL_PROMPT: "0" },
      })
      if (said === undefined) break
      lines.add(`$ git ${question.join(" ")}`)
      lines.add(said.stdout)
      if (said.exitCode !== 0) lines.add(said.stderr)
      if (!said.whole) lines.cut()
    }
    const moves = Machine.readNow(join(head.folder, "logs", "HEAD"))
    if (moves === undefined) return
    lines.add("# the last moves of HEAD")
    lines.add(moves.trimEnd().split("\n").slice(-20).join("\n"))
  })
