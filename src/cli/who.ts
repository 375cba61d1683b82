import { readFileSync } from "node:fs"

const fromPasswd = (uid: number): string | undefined => {
  try {
    const lines = readFileSync("/etc/passwd", "utf8").split("\n")
    return lines.map((line) => line.split(":")).find((fields) => fields[2] === String(uid))?.[0]
  } catch {
    return undefined
  }
}

let known: string | undefined

/** Who works at this command line: the operating system's user by uid, never a variable of the environment. */
export const who = (): string => {
  const uid = process.getuid?.() ?? 0
  known ??=
    fromPasswd(uid) ??
    (Bun.spawnSync(["/usr/bin/id", "-un", String(uid)])
      .stdout.toString()
      .trim() ||
      `uid ${uid}`)
  return known
}
