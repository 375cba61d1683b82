import * as ProgramModules from "./services/program-modules.ts"

/** Lets files of a project import `dandori`, `dandori/tasks` and `effect/*` from this program, wherever they lie. */
export const register = (): void =>
  ProgramModules.register({
    dandori: () => import("./index.ts"),
    "dandori/tasks": () => import("../tasks/index.ts"),
  })

/** Imports what nearly every pipeline file imports. */
export const preload = async (): Promise<void> => {
  await Promise.all([import("./index.ts"), import("../tasks/index.ts")])
}
