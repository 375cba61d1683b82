import { nameOf } from "../services/users.ts"

/** Who works at this command line: the operating system's user by uid, never a variable of the environment. */
export const who = (): string => nameOf(process.getuid?.() ?? 0)
