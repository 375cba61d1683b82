import * as MachineCode from "../services/machine-code.ts"

/** Runs a hidden command: a part of this program's work in a process of its own. */
export const run = async (kind: "trainer" | "compile", argument: string): Promise<void> => {
  MachineCode.usual()
  if (kind === "trainer") {
    const NodeRuntime = await import("@effect/platform-node/NodeRuntime")
    const { main } = await import("../../tasks/train/builtin-trainer.ts")
    NodeRuntime.runMain(main(argument), { disableErrorReporting: false })
    return
  }
  const { main } = await import("../compiler/typescript-child.ts")
  await main(argument)
}
