/**
 * How soon JavaScriptCore compiles a function to machine code. Most code runs a few times while the program starts and
 * never again: compiling it takes longer than running it, and memory.
 */

let factor = 1
let end: ReturnType<typeof setTimeout> | undefined

/** A function is compiled after so many times as many calls as usual. */
const after = (times: number): void => {
  if (times !== factor) Bun.unsafe.setJITPolicy(times)
  factor = times
}

/** At the start: most of what runs then never runs again. */
const starting = (): void => after(48)
/** While there is no work: more than at the start, since what runs then runs again. */
const sparing = (): void => after(8)

/** For work that goes on: as usual. */
export const usual = (): void => after(1)

/** For so many milliseconds of the start little is compiled. */
export const sparingAtFirst = (millis: number): void => {
  starting()
  end = setTimeout(usual, millis).unref()
}

/** How often it is looked what a process does, milliseconds. */
const lookEvery = 1_000
/** A process that takes so much of a processor has work, and after so many quiet looks it has none any more. */
const busy = 0.2
const quietLooks = 60
/** Looks that are left out: to start is no work that goes on. */
const startLooks = 5

/**
 * For a process that waits for work: little is compiled until there is some, and again when there was none for a minute. The
 * little that it does meanwhile would be compiled by and by, and fill memory.
 */
export const byLoad = (): void => {
  clearTimeout(end)
  sparing()
  let before = process.cpuUsage()
  let looks = 0
  let quiet = 0
  setInterval(() => {
    const now = process.cpuUsage()
    const share = (now.user + now.system - before.user - before.system) / (lookEvery * 1_000)
    before = now
    looks++
    if (looks <= startLooks) return
    quiet = share < busy ? quiet + 1 : 0
    if (quiet === 0) usual()
    else if (quiet >= quietLooks) sparing()
  }, lookEvery).unref()
}
