/**
 * How soon JavaScriptCore compiles a function to machine code. Most code runs a few times while the program starts and
 * never again: compiling it takes longer than running it.
 */

/** For the start: a function is compiled after 48 times as many calls as usual. */
export const sparing = (): void => Bun.unsafe.setJITPolicy(48)

/** For work that goes on: as usual. */
export const usual = (): void => Bun.unsafe.setJITPolicy(1)
