import { join, resolve } from "node:path"

/**
 * Where a root of the section `evacuation` is: relative to the project, or absolute. What begins with `.dandori` lies in the
 * project's home, wherever that is.
 */
export const collectorRoot = (
  { project, projectHome }: { readonly project: string; readonly projectHome: string },
  root: string,
): string =>
  root === ".dandori" || root.startsWith(".dandori/") ? join(projectHome, root.slice(9)) : resolve(project, root)
