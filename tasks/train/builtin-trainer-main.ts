/** The built-in trainer as a program: `bun tasks/train/builtin-trainer-main.ts MANIFEST`. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { main } from "./builtin-trainer.ts"

NodeRuntime.runMain(main(Bun.argv.at(-1) ?? ""))
