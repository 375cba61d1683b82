import { type Accepts, type Expression, type Ref, ref, sourceOf } from "./reference.ts"

/** A condition on a value of the run, for the option `if` of a task. */
export interface When<A> {
  readonly is: (other: Accepts<A>) => Ref<boolean>
  readonly isNot: (other: Accepts<A>) => Ref<boolean>
  readonly below: (other: Accepts<A>) => Ref<boolean>
  readonly above: (other: Accepts<A>) => Ref<boolean>
}

const operand = (value: unknown): string => sourceOf(value) ?? JSON.stringify(value)

/** Begins a condition: `when(run.status).isNot("succeeded")` is `run.status != "succeeded"`. */
export const when = <A extends string | number | boolean>(left: Expression<A>): When<A> => {
  const compare = (operator: string) => (right: Accepts<A>) =>
    ref<boolean>(`${operand(left)} ${operator} ${operand(right)}`)
  return { is: compare("=="), isNot: compare("!="), below: compare("<"), above: compare(">") }
}

/** True where an output is there: its task may have been skipped or may have failed. */
export const has = (reference: Expression<unknown>): Ref<boolean> => ref<boolean>(`has(${operand(reference)})`)
