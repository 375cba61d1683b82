import type { MachineFact } from "../../../domain/config/evacuation.ts"
import type { Capture } from "./capture.ts"
import * as Cgroups from "./cgroups.ts"
import * as Containers from "./containers.ts"
import * as Disks from "./disks.ts"
import * as Environment from "./environment.ts"
import * as Git from "./git.ts"
import * as Gpu from "./gpu.ts"
import * as Journal from "./journal.ts"
import * as KernelLog from "./kernel-log.ts"
import * as LedgerDatabase from "./ledger-database.ts"
import * as Memory from "./memory.ts"
import * as Mounts from "./mounts.ts"
import * as OpenFiles from "./open-files.ts"
import * as Packages from "./packages.ts"
import * as Processes from "./processes.ts"
import * as Registry from "./registry.ts"
import * as Sockets from "./sockets.ts"

/** How each fact of a machine is taken. */
export const facts: Readonly<Record<MachineFact, Capture>> = {
  environment: Environment.capture,
  processes: Processes.capture,
  sockets: Sockets.capture,
  "open-files": OpenFiles.capture,
  memory: Memory.capture,
  disks: Disks.capture,
  mounts: Mounts.capture,
  "kernel-log": KernelLog.capture,
  journal: Journal.capture,
  cgroups: Cgroups.capture,
  containers: Containers.capture,
  gpu: Gpu.capture,
  packages: Packages.capture,
  git: Git.capture,
  registry: Registry.capture,
  "ledger-database": LedgerDatabase.capture,
}
