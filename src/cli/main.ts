#!/usr/bin/env -S bun --no-install
import { version } from "../../package.json"
import * as MachineCode from "../services/machine-code.ts"

const [first, second] = process.argv.slice(2)

MachineCode.sparing()
setTimeout(MachineCode.usual, 500).unref()

/** Answers what needs nothing else at once; the rest of the program is imported when it is needed. */
if ((first === "--version" || first === "version") && second === undefined) {
  await Bun.write(Bun.stdout, `dandori ${version}\n`)
} else if (first === "__trainer" && second !== undefined) {
  const { run } = await import("./child.ts")
  await run("trainer", second)
} else if (first === "__compile" && second !== undefined) {
  const { run } = await import("./child.ts")
  await run("compile", second)
} else {
  // The rest takes a moment to load: a person who waits should see at once that something goes on.
  const quiet = process.argv.some((word) => ["--json", "--quiet", "-q", "--help", "-h"].includes(word))
  if (first === "run" && process.stderr.isTTY && !quiet) process.stderr.write(`dandori ${version}\n`)
  const { main } = await import("./app.ts")
  await main(process.argv.slice(2), version)
}
