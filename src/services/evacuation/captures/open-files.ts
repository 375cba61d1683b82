import * as Effect from "effect/Effect"
import { type Capture, visible } from "./capture.ts"
import * as Machine from "./machine-files.ts"

/** What every process has open: its number, the descriptor, where it leads, and whether the file was deleted. */
export const capture: Capture = (lines) =>
  Effect.gen(function* () {
    yield* Machine.needsProc
    lines.add(["pid", "fd", "deleted", "target"].join("\t"))
    let hidden = 0
    for (const pid of Machine.pids()) {
      if (lines.isFull()) return
      // Others have their turn between processes.
      yield* Effect.yieldNow
      const fds = Machine.namesIn(`/proc/${pid}/fd`)
      if (fds === undefined) hidden++
      for (const fd of fds ?? []) {
        const target = Machine.linkOf(`/proc/${pid}/fd/${fd}`)
        if (target === undefined) continue
        lines.add([pid, fd, target.endsWith(" (deleted)") ? "deleted" : "-", visible(target)].join("\t"))
      }
    }
    if (hidden > 0) lines.add(`# of ${hidden} processes the open files may not be seen`)
  })
