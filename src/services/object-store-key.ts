import { isAbsolute } from "node:path"

/** Why a key is refused; undefined when it is a relative, `/`-separated path of plain names. */
export const keyProblem = (key: string): string | undefined => {
  if (key === "") return "the key is empty"
  if (isAbsolute(key)) return "the key is absolute; keys are relative"
  if (/[\0\\]/.test(key)) return "the key holds a NUL or a backslash"
  const bad = key.split("/").find((part) => part === "" || part === "." || part === ".." || /^\..*\.tmp$/.test(part))
  return bad === undefined ? undefined : `the key has the part ${JSON.stringify(bad)}, which is not a plain name`
}
