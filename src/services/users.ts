import { readFileSync } from "node:fs"

const fromPasswd = (uid: number): string | undefined => {
  try {
    const lines = readFileSync("/etc/passwd", "utf8").split("\n")
    return lines.map((line) => line.split(":")).find((fields) => fields[2] === String(uid))?.[0]
  } catch {
    return undefined
  }
}

/** What the system's own lookup says, which knows directories too; undefined where it has no name, or is not there. */
const fromSystem = (uid: number): string | undefined => {
  try {
    return (
      Bun.spawnSync(["/usr/bin/id", "-un", String(uid)])
        .stdout.toString()
        .trim() || undefined
    )
  } catch {
    return undefined
  }
}

const known = new Map<number, string>()

/** The name of the operating system's user with this number; `uid 1234` where it has none. */
export const nameOf = (uid: number): string => {
  const name = known.get(uid) ?? fromPasswd(uid) ?? fromSystem(uid) ?? `uid ${uid}`
  known.set(uid, name)
  return name
}
