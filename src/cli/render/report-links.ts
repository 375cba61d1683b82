import { existsSync, linkSync, mkdirSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileName } from "../../services/attempt-files.ts"
import type { TaskResult } from "./run-results.ts"

/** Where an artifact's bytes lie. */
export const artifactPath = (home: string, sha256: string): string =>
  join(home, "artifacts", "sha256", sha256.slice(0, 2), sha256.slice(2))

const linkPath = (home: string, run: string, task: string, name: string): string =>
  join(home, "reports", run, fileName(task), name.replaceAll("/", "_"))

/**
 * Gives the reports of a run names that people and browsers know: hard links in `<home>/reports/<run>/<task>/`, since a
 * browser that follows a symbolic one takes what a page is from the name of its bytes, and shows its source.
 */
export const make = (home: string, run: string, results: ReadonlyArray<TaskResult>): void => {
  for (const { reports, task } of results) {
    for (const { name, sha256 } of reports) {
      const link = linkPath(home, run, task, name)
      try {
        mkdirSync(dirname(link), { recursive: true, mode: 0o700 })
        if (!existsSync(link)) linkSync(artifactPath(home, sha256), link)
      } catch {
        // Without its link a report is shown by its digest.
      }
    }
  }
}

/** A path as people read it: from the working folder where it lies below it. */
export const shown = (path: string): string => {
  const near = relative(process.cwd(), path)
  return near === "" || near.startsWith("..") ? path : near
}

/** Where a report can be opened: its link, else its bytes. */
export const pathOf = (
  home: string,
  run: string,
  task: string,
  report: { readonly name: string; readonly sha256: string },
): string => {
  const link = linkPath(home, run, task, report.name)
  return shown(existsSync(link) ? link : artifactPath(home, report.sha256))
}
