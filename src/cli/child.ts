import * as MachineCode from "../services/machine-code.ts"

/** Runs a hidden command, a part of this program's work in a process of its own: trains as a folder's request says. */
export const train = async (folder: string): Promise<void> => {
  MachineCode.usual()
  const NodeRuntime = await import("@effect/platform-node/NodeRuntime")
  const { main } = await import("../../tasks/train/builtin-trainer.ts")
  NodeRuntime.runMain(main(folder), { disableErrorReporting: false })
}

/** Runs a hidden command, a part of this program's work in a process of its own: evaluates a pipeline file. */
export const evaluate = async (): Promise<void> => {
  MachineCode.usual()
  const { main } = await import("../compiler/typescript-child.ts")
  await main()
}
