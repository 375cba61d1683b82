/** Types, Effect diagnostics, lint and format, one after the other; all of them run, and any of them can fail it. */
const commands: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
  ["types", ["tsc", "--noEmit"]],
  ["effect diagnostics", ["effect-tsgo", "diagnostics", "--project", "tsconfig.json"]],
  ["lint", ["oxlint", "--deny-warnings"]],
  ["format", ["oxfmt", "--check"]],
]

let failed = false
for (const [name, argv] of commands) {
  const { exitCode } = Bun.spawnSync(["bun", "x", "--no-install", ...argv], { stdout: "inherit", stderr: "inherit" })
  process.stderr.write(`${exitCode === 0 ? "ok" : "FAILED"}  ${name}\n`)
  failed ||= exitCode !== 0
}
process.exit(failed ? 1 : 0)
