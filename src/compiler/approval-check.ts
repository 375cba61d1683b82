import type { PlanTask } from "../domain/plan.ts"
import type { AnyTaskType } from "../domain/task-type.ts"
import type { Definition } from "./definition.ts"
import type { FieldReader } from "./field-reader.ts"

/** Reports each task whose type wants another person to agree to its input, and that asks nobody. */
export const check = (
  reader: FieldReader,
  definition: Definition,
  tasks: ReadonlyArray<PlanTask>,
  types: ReadonlyMap<string, AnyTaskType | undefined>,
): void => {
  if (![...types.values()].some((type) => type?.approval !== undefined)) return
  for (const { approval, id, type, with: given } of tasks) {
    const why = approval === undefined ? types.get(type)?.approval?.(given) : undefined
    const place = definition.tasks.get(id)
    if (why === undefined || place === undefined) continue
    reader.report(place.uses.at, `${place.path}.uses`, `${why}. Say who agrees: approval: { approvers: 1 }.`)
  }
}
