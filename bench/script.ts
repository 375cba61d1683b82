import { join } from "node:path"
import * as Place from "./place.ts"
import type { Shape } from "./shape.ts"

/** A pipeline file in TypeScript, as a person writes it; `odd` is the number of a task that says something else. */
export const text = (tasks: number, shape: Shape, odd = -1): string => `import { pipeline } from "dandori"
import { command } from "dandori/tasks"
import { needs } from ${JSON.stringify(join(Place.repository, "bench/shape.ts"))}

export default pipeline("bench", {}, ({ task }) => {
  const tasks = []
  for (let i = 0; i < ${tasks}; i++) {
    const say = i === ${odd} ? "odd" : String(i)
    tasks.push(task(\`t\${i}\`, command, { argv: ["echo", say] }, { needs: needs("${shape}", i).map((n) => tasks[n]) }))
  }
})
`
