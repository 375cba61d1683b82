import * as Command from "effect/cli/Command"
import { root } from "./root.ts"
import * as ServerChoice from "./server-choice.ts"

/** The commands in the order in which help lists them, each imported when it is called. */
const imports = {
  init: () => import("./commands/init.ts").then(({ init }) => init),
  run: () => import("./commands/run.ts").then(({ run }) => run),
  runs: () => import("./commands/runs.ts").then(({ runs }) => runs),
  validate: () => import("./commands/validate.ts").then(({ validate }) => validate),
  fmt: () => import("./commands/fmt.ts").then(({ fmt }) => fmt),
  convert: () => import("./commands/convert.ts").then(({ convert }) => convert),
  compile: () => import("./commands/compile.ts").then(({ compile }) => compile),
  plan: () => import("./commands/plan.ts").then(({ plan }) => plan),
  deploy: () => import("./commands/deploy.ts").then(({ deploy }) => deploy),
  graph: () => import("./commands/graph.ts").then(({ graph }) => graph),
  schema: () => import("./commands/schema.ts").then(({ schema }) => schema),
  schedule: () => import("./commands/schedule.ts").then(({ schedule }) => schedule),
  daemon: () => import("./commands/daemon.ts").then(({ daemon }) => daemon),
  cordon: () => import("./commands/cordon.ts").then(({ cordon }) => cordon),
  evacuate: () => import("./commands/evacuate.ts").then(({ evacuate }) => evacuate),
  hold: () => import("./commands/hold.ts").then(({ hold }) => hold),
  notification: () => import("./commands/notification.ts").then(({ notification }) => notification),
  ops: () => import("./commands/ops.ts").then(({ ops }) => ops),
  simulate: () => import("./commands/simulate.ts").then(({ simulate }) => simulate),
  config: () => import("./commands/config.ts").then(({ config }) => config),
  doctor: () => import("./commands/doctor.ts").then(({ doctor }) => doctor),
  ledger: () => import("./commands/ledger.ts").then(({ ledger }) => ledger),
  model: () => import("./commands/model.ts").then(({ model }) => model),
  snapshot: () => import("./commands/snapshot.ts").then(({ snapshot }) => snapshot),
  token: () => import("./commands/token.ts").then(({ token }) => token),
  worm: () => import("./commands/worm.ts").then(({ worm }) => worm),
}
type Name = keyof typeof imports

const isName = (word: string | undefined): word is Name => word !== undefined && Object.hasOwn(imports, word)

/** The commands that a daemon can carry out; `--server` says nothing to the others. */
const asking: ReadonlySet<Name> = new Set<Name>(["run", "runs", "schedule", "cordon"])

/** A command by its name. */
const load = async (name: Name) => {
  const command = await imports[name]()
  return asking.has(name) ? command : refusing(name, command)
}

/** The same command, which refuses `--server` before anything else. */
const refusing = <C extends Awaited<ReturnType<(typeof imports)[Name]>>>(name: Name, command: C): C =>
  Command.provideEffectDiscard(command as Command.Command<string, unknown>, ServerChoice.refused(name)) as never

/** The command line with all of its commands. */
const whole = async (version: string) => {
  const named = Promise.all(Object.keys(imports).flatMap((name) => (isName(name) ? [load(name)] : [])))
  const [commands, Version, Completion] = await Promise.all([
    named,
    import("./commands/version.ts"),
    import("./commands/completion.ts"),
  ])
  const all = [...commands, Version.version(version)]
  return root.pipe(Command.withSubcommands([...all, Completion.completion(all)]))
}

/** The command line for these words: with the one command that the first word names, else with all of them. */
export const commandLine = async (argv: ReadonlyArray<string>, version: string) => {
  const [word] = argv
  return isName(word) ? root.pipe(Command.withSubcommands([await load(word)])) : whole(version)
}
