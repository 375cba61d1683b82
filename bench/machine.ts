import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os"

/** What the figures were measured on, in one line. */
export const machine = (): string => {
  const [{ model }] = cpus()
  const memory = `${(totalmem() / 2 ** 30).toFixed(1)} GiB memory`
  return `${model.trim()}, ${availableParallelism()} cores, ${memory}, ${process.platform} ${release()}, Bun ${Bun.version}`
}

/** How busy the machine is: above its number of cores, other work takes part of each figure. */
export const load = (): string => {
  const [minute] = loadavg()
  const cores = availableParallelism()
  const noisy = minute > cores * 0.5 ? `; others are at work: take "best" as the figure of a quiet machine` : ""
  return `load ${minute.toFixed(2)} on ${cores} cores${noisy}`
}
