import type { FileFacts } from "../domain/file-trigger.ts"
import { type Ref, ref } from "./reference.ts"

/** Files whose arrival starts a run each. */
export interface FileTrigger<out P> {
  /** A pattern, relative to the project: `incoming/*.csv`. */
  readonly path: string
  /**
   * When a file is complete: a duration (its size and time have not changed for so long), `rename` (at once: it gets its
   * name when it is whole), or the end of the name of a file that is made after it.
   */
  readonly complete: string | { readonly marker: string }
  /** Values of the pipeline's params; expressions may name `file` only. */
  readonly params?: P
}

/** The file that a run is for: its path (relative to the project where it lies in it), its name, and its bytes. */
export const file: Ref<FileFacts> = ref("run.file")
