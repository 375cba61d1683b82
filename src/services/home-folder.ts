import { homedir } from "node:os"

const ofSystem = (): string | undefined => {
  try {
    return homedir()
  } catch {
    return undefined
  }
}

/** The user's home: HOME, else what the system says; `/` where it knows none, as of a user that is but a number. */
export const homeFolder = (): string => process.env.HOME || ofSystem() || "/"

/** Names the home in the environment: libraries that look for a user's settings fail where there is none. */
export const settle = (): void => void (process.env.HOME ||= homeFolder())
