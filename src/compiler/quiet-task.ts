import type { Block } from "../domain/plan.ts"
import { type Located, type LocatedEntry, type PlacedText, fromJson, nowhere } from "./located.ts"
import { idPattern, isNoSetting, noSettings, type TaskDefinition, type TaskSettings } from "./task-definition.ts"

interface Said {
  readonly uses: string
  readonly with?: unknown
  readonly needs?: ReadonlyArray<string>
}

const none: ReadonlyArray<string> = []

const isSaid = (task: unknown): task is Said => {
  if (typeof task !== "object" || task === null) return false
  for (const key in task) if (!isNoSetting(key)) return false
  const { needs = none, uses } = task as { readonly uses?: unknown; readonly needs?: unknown }
  if (typeof uses !== "string" || !Array.isArray(needs)) return false
  for (const need of needs) if (typeof need !== "string") return false
  return true
}

/**
 * A task that was not read from a text, and says no more than its type, its input and its needs: most tasks of a
 * generated pipeline are such. It is its own entry of the document and its own definition; what it is made of becomes
 * located nodes only where somebody looks into it.
 */
export class QuietTask implements TaskDefinition, LocatedEntry {
  readonly id: string
  readonly block: Block
  private readonly said: Said
  private shared: TaskSettings = noSettings

  private constructor(id: string, block: Block, said: Said) {
    this.id = id
    this.block = block
    this.said = said
  }

  /** Undefined for a task that says more, or says it wrongly. */
  static of(id: string, block: Block, task: unknown): QuietTask | undefined {
    return idPattern.test(id) && isSaid(task) ? new QuietTask(id, block, task) : undefined
  }

  /** The task with what its pipeline's defaults say of it. */
  under(settings: TaskSettings): QuietTask {
    this.shared = settings
    return this
  }

  /** Its input as it was given, not to be changed. */
  get given(): unknown {
    return this.said.with
  }
  /** The ids of the tasks that it needs. */
  get needed(): ReadonlyArray<string> {
    return this.said.needs ?? none
  }
  get settings(): TaskSettings {
    return this.shared
  }
  get at() {
    return nowhere
  }
  get path(): string {
    return `${this.block}.${this.id}`
  }
  get uses(): PlacedText {
    return { text: this.said.uses, at: nowhere }
  }
  get with(): Located | undefined {
    return this.said.with === undefined ? undefined : fromJson(this.said.with)
  }
  get needs(): ReadonlyArray<PlacedText> {
    return this.needed.map((text) => ({ text, at: nowhere }))
  }
  get written(): Located {
    return fromJson(this.said)
  }
  get key(): string {
    return this.id
  }
  get keyAt() {
    return nowhere
  }
  get value(): Located {
    return this.written
  }
}
