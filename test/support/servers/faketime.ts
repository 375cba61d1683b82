import { existsSync } from "node:fs"
import * as Install from "./install.ts"

const machine = process.arch === "arm64" ? "aarch64" : "x86_64"
const library = `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`

/** What a process has in its environment whose clock is so many days ahead of the machine's; files keep their times. */
export const daysAhead = async (days: number): Promise<Readonly<Record<string, string>>> => {
  const found = await Install.debian("libfaketime", () => (existsSync(library) ? library : undefined))
  return { LD_PRELOAD: found, FAKETIME: `+${days}d`, NO_FAKE_STAT: "1", FAKETIME_DONT_FAKE_MONOTONIC: "1" }
}
