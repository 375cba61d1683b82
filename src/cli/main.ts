#!/usr/bin/env -S bun --no-install
import { version } from "../../package.json"
import * as HomeFolder from "../services/home-folder.ts"
import * as MachineCode from "../services/machine-code.ts"
import { unwritable } from "./unwritable.ts"

const [first, second] = process.argv.slice(2)

HomeFolder.settle()
MachineCode.sparingAtFirst(500)

/** Answers what needs nothing else at once; the rest of the program is imported when it is needed. */
if ((first === "--version" || first === "version") && second === undefined) {
  await Bun.write(Bun.stdout, `dandori ${version}\n`).catch(unwritable)
} else if (first === "__trainer" && second !== undefined) {
  const { train } = await import("./child.ts")
  await train(second)
} else if (first === "__compile") {
  const { evaluate } = await import("./child.ts")
  await evaluate()
} else {
  const words = process.argv.slice(2)
  const has = (...known: ReadonlyArray<string>) => words.some((word) => known.includes(word))
  // The rest takes a moment to load: a person who waits should see at once that something goes on, and what evaluates a
  // TypeScript pipeline gets ready meanwhile.
  if (first === "run" && process.stderr.isTTY && !has("--json", "--quiet", "-q", "--help", "-h")) {
    process.stderr.write(`dandori ${version}\n`)
  }
  if (words.some((word) => word.endsWith(".ts")) && !has("--help", "-h")) {
    const { prepare, thisCompiler } = await import("../services/compile-process.ts")
    prepare(thisCompiler())
  }
  const { main } = await import("./app.ts")
  await main(words, version)
}
