import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { taskType } from "../../src/authoring/task-type.ts"
import { parseDuration, parseSize } from "../../src/domain/quantity.ts"
import { Artifacts } from "../../src/services/artifacts.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { tailOf } from "../../src/services/process-output.ts"
import { Processes } from "../../src/services/processes.ts"
import { Progress } from "../../src/services/progress.ts"
import { Secrets } from "../../src/services/secrets.ts"
import { Workspace } from "../../src/services/workspace.ts"
import { mediaTypeOf } from "./media-type.ts"
import { parseProgressLine } from "./progress-line.ts"
import { CommandFailed, CommandInput, CommandOutput, CommandOutputUnusable } from "./schema.ts"

const keptCharacters = 65_536
/** Longest standard output that is read as JSON, in characters. */
const longestJson = 16 * 1024 * 1024

const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Json))

const lastLines = (text: string): string => tailOf(text.trimEnd().split("\n").slice(-10).join("\n"), 2_000)

const readJson = (input: CommandInput, stdout: string) => {
  const unusable = (reason: string) =>
    new CommandOutputUnusable({ argv: input.argv, what: "its standard output", reason })
  if (stdout.length >= longestJson) return Effect.fail(unusable(`it is longer than ${longestJson} characters`))
  const text = stdout
    .split("\n")
    .filter((line) => parseProgressLine(line) === undefined)
    .join("\n")
  return Option.match(decodeJson(text), {
    onNone: () => Effect.fail(unusable("it is not one JSON value (parseOutput: json)")),
    onSome: Effect.succeed,
  })
}

const keepArtifacts = Effect.fnUntraced(function* (input: CommandInput) {
  const artifacts = yield* Artifacts
  const workspace = yield* Workspace
  const outputs = Object.entries(input.outputs ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  return yield* Effect.forEach(outputs, ([name, path]) =>
    Effect.flatMap(workspace.resolve(path), (file) => artifacts.putFile(name, mediaTypeOf(file), file)).pipe(
      Effect.mapError(
        (error) =>
          new CommandOutputUnusable({ argv: input.argv, what: `its output ${name} (${path})`, reason: error.reason }),
      ),
    ),
  )
})

const environment = Effect.fnUntraced(function* (input: CommandInput) {
  const secrets = yield* Secrets
  const pairs = yield* Effect.forEach(Object.entries(input.secrets ?? {}), ([name, reference]) =>
    Effect.map(secrets.resolve(reference), (value) => [name, Redacted.value(value)] as const),
  )
  return { ...input.env, ...Object.fromEntries(pairs) }
})

const run = Effect.fn("command")(function* (input: CommandInput) {
  const attempt = yield* Attempt
  const progress = yield* Progress
  const secrets = yield* Secrets
  const processes = yield* Processes
  const workspace = yield* Workspace
  const cwd = yield* workspace.resolve(input.cwd ?? workspace.project)
  const graceMillis = input.grace === undefined ? undefined : parseDuration(input.grace)
  const memoryBytes = input.memory === undefined ? undefined : parseSize(input.memory)
  const { exitCode, signal, ...streams } = yield* processes.run({
    argv: input.argv,
    cwd,
    env: yield* environment(input),
    keep: input.parseOutput === "json" ? longestJson : keptCharacters,
    ...(input.stdin === undefined ? {} : { stdin: input.stdin }),
    ...(graceMillis === undefined ? {} : { graceMillis }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    onStdout: (line) => {
      const report = parseProgressLine(line)
      return report === undefined ? attempt.log(secrets.redact(line)) : progress.report(report)
    },
    onStderr: (line) => attempt.log(secrets.redact(line)),
  })
  const kept = (text: string) => tailOf(secrets.redact(tailOf(text, keptCharacters, secrets)), keptCharacters)
  const stderr = kept(streams.stderr)
  const expected: ReadonlyArray<number> = input.expectExit ?? [0]
  if (signal !== undefined || !expected.includes(exitCode)) {
    return yield* new CommandFailed({
      argv: input.argv,
      exitCode,
      ...(signal === undefined ? {} : { signal }),
      stderr: lastLines(stderr),
    })
  }
  const json =
    input.parseOutput === "json"
      ? { json: secrets.redactValue(yield* readJson(input, streams.stdout)) as Schema.Json }
      : {}
  const output: CommandOutput = {
    exitCode,
    stdout: kept(streams.stdout),
    stderr,
    ...json,
    artifacts: yield* keepArtifacts(input),
  }
  return output
})

/**
 * Runs any program in a process group of its own. Its lines go to the attempt's log; a line of standard output
 * `{"progress": {"done": 3, "total": 10, "unit": "files", "note": "…"}}` goes to the progress display instead.
 * An exit code that is not expected is `CommandFailed`, which is not retried by default.
 */
export default taskType({
  type: "command",
  version: 1,
  description: "Runs a program and keeps its exit code, output and files.",
  input: CommandInput,
  output: CommandOutput,
  errors: {
    CommandFailed: "the program ended with another exit code",
    CommandOutputUnusable: "the program's output is not what was asked for",
    MemoryExceeded: "the program took more memory than it may",
    PathRefused: "a path leads outside of the project",
    ProcessNotStarted: "the program could not be started",
    SecretMissing: "a secret has no value",
  },
  effects: "once",
  dryRun: (input) =>
    Effect.map(Workspace, (workspace) => {
      const folder = workspace.display(input.cwd ?? workspace.project)
      return `would run ${JSON.stringify(input.argv)} in ${folder === "" ? "." : folder}`
    }),
  run,
})
