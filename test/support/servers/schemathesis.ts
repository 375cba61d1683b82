import { join } from "node:path"
import * as Install from "./install.ts"

const requirements = ["schemathesis==4.32.5"]

/** The program `st`, in a virtual environment under `.cache/`. */
export const program = async (): Promise<string> =>
  join(await Install.python("schemathesis-4.32.5", requirements), "st")
