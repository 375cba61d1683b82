/** An engine that runs the three graphs that are compared. Every step does nothing, and its end is durable. */
export interface Engine {
  /** Where it keeps its record, and when that is flushed. */
  readonly record: string
  /** So many steps, each after the one before. */
  readonly inARow: (steps: number) => Promise<unknown>
  /** So many steps that need nothing of each other, `width` at a time. */
  readonly fanOut: (steps: number, width: number) => Promise<unknown>
  readonly close: () => Promise<unknown>
}

/** Starts an engine with all its files in a folder. Throws `ServerMissing` where the machine lacks what it needs. */
export type Start = (folder: string) => Promise<Engine>
