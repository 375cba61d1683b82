/** What `dandori/tasks` exports: the task types that ship. */
export { default as cleanup } from "./cleanup/index.ts"
export { default as command } from "./command/index.ts"
export { default as notify } from "./notify/index.ts"
export { default as publish } from "./publish/index.ts"
export { default as seed } from "./seed/index.ts"
export { default as snapshot } from "./snapshot/index.ts"
export { default as wormAppend } from "./worm-append/index.ts"
