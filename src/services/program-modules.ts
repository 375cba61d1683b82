import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { effectModules } from "./effect-modules.ts"

type Load = () => Promise<object>

let registered = false

/**
 * Makes `own` modules and effect's resolve to this program's copies in every file that is imported from now on, so that
 * a project's files meet one copy of effect (two break Schemas). `own` must be loaded by relative paths.
 */
export const register = (own: Readonly<Record<string, Load>>): void => {
  if (registered) return
  registered = true
  const compiled = /\$bunfs|~BUN/.test(import.meta.url)
  const here = compiled ? "" : dirname(fileURLToPath(import.meta.url))
  const effect = Object.entries(effectModules).map(([name, load]): [string, Load] => {
    if (compiled) return [name, load]
    const path = Bun.resolveSync(name, here)
    return [name, () => import(path)]
  })
  Bun.plugin({
    name: "dandori",
    setup: (build) => {
      for (const [name, load] of [...Object.entries(own), ...effect]) {
        build.module(name, async () => ({ exports: { ...(await load()) }, loader: "object" }))
      }
    },
  })
}
