import type { Entry } from "../../src/domain/event.ts"
import type { Plan } from "../../src/domain/plan.ts"
import { compilePlan } from "../../src/engine/compiled-plan.ts"
import * as Resume from "../../src/engine/resume.ts"
import { type RunState, runStatus, taskOf } from "../../src/engine/run-state.ts"

/** What a run's state means to people and to other programs, as JSON: what must stay when the core changes. */
const shownState = (state: RunState) => ({
  status: runStatus(state),
  phase: state.phase,
  failed: state.failed,
  warned: state.warned,
  cancelled: state.cancelled,
  tasks: Object.fromEntries(
    state.plan.plan.tasks.map(({ id }) => {
      const { status, attempt, output, outputArtifact, receipts, error } = taskOf(state, id)
      return [id, { status, attempt, output, outputArtifact, receipts, error }]
    }),
  ),
})

/** The state that a run's entries lead to, and the run's status after each of them. */
export const replay = (plan: Plan, entries: ReadonlyArray<Entry>) => {
  const prepared = { plan: compilePlan(plan) }
  const at = (count: number) => Resume.fold(prepared, entries.slice(0, count), 0)
  return {
    statuses: entries.map((_, n) => runStatus(at(n + 1))),
    state: shownState(at(entries.length)),
  }
}
