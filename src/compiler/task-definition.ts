import type { Approval, Block, PauseUntil, Resources, Retry } from "../domain/plan.ts"
import type { Located, PlacedText } from "./located.ts"
import type { MatrixDefinition } from "./matrix-settings.ts"
import type { Span } from "./source.ts"

/** Every JavaScript object answers to `constructor`, so nothing of a pipeline is called that. */
export const idPattern = /^(?!constructor$)[a-z][a-z0-9_]*$/

/** Whether a key of a task is none of its settings: its type, its input or its needs. */
export const isNoSetting = (key: string): boolean => key === "uses" || key === "with" || key === "needs"

/** What a task says beside its type, its input and its needs. */
export interface TaskSettings {
  readonly if: PlacedText | undefined
  readonly retry: Retry | undefined
  readonly timeout: number | undefined
  readonly heartbeat: number | undefined
  readonly cache: { readonly value: boolean; readonly at: Span } | undefined
  readonly continueOnError: boolean | undefined
  readonly resources: Resources | undefined
  readonly matrix: MatrixDefinition | undefined
  readonly approval: Approval | undefined
  readonly pauseUntil: PauseUntil | undefined
  readonly labels: ReadonlyArray<string>
  readonly priority: number | undefined
}

/** A task as the author wrote it, shapes checked. */
export interface TaskDefinition {
  readonly id: string
  readonly at: Span
  readonly path: string
  readonly block: Block
  readonly uses: PlacedText
  readonly with: Located | undefined
  readonly needs: ReadonlyArray<PlacedText>
  readonly settings: TaskSettings
  /** The map that the author wrote. */
  readonly written: Located
}

/** The settings of a task that says nothing. */
export const noSettings: TaskSettings = {
  if: undefined,
  retry: undefined,
  timeout: undefined,
  heartbeat: undefined,
  cache: undefined,
  continueOnError: undefined,
  resources: undefined,
  matrix: undefined,
  approval: undefined,
  pauseUntil: undefined,
  labels: [],
  priority: undefined,
}
