import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { PlainSchema } from "./plain-schema.ts"
import type { EffectClass } from "./effect-class.ts"
import type { GateResult } from "./gate.ts"

/** What an error class may say of itself; the engine decides about retries by these and nothing else. */
export interface TaskErrorTraits {
  /** The same attempt may succeed later: retried by default. */
  readonly transient?: boolean
  /** Refused before anything changed: may be retried in every effect class. */
  readonly notApplied?: boolean
  /**
   * The outcome is known: it failed, whatever it did on the way (a program that ended with a bad exit code). A `once`
   * task whose error says neither is asked by its probe, and is `unknown` without one.
   */
  readonly settled?: boolean
}

/** A typed error of a task type: a `Schema.TaggedError` class, optionally with traits as instance members. */
export interface TaskError extends TaskErrorTraits {
  readonly _tag: string
  readonly message: string
}

/**
 * A typed, versioned implementation of a task. `run` is an Effect whose requirements are services, so that a test
 * swaps any of them. `version` goes up when the same input may give another output.
 */
export interface TaskType<I, O, E extends TaskError, R> {
  readonly type: string
  readonly version: number
  readonly description: string
  readonly input: PlainSchema<I>
  readonly output: PlainSchema<O>
  /** Its errors by tag, each with what it means: what `retry.on` may name. Without it any name is taken. */
  readonly errors?: { readonly [Tag in E["_tag"]]: string }
  readonly effects: EffectClass
  /** Sections of the configuration that it reads; part of the cache key. */
  readonly config?: ReadonlyArray<string>
  /** A gate: how to read its verdict from its output. FAILED ends the task as failed. */
  readonly gate?: (output: O) => GateResult
  /**
   * Why an input starts only when another person has agreed; undefined where it may start without. It sees the input as
   * the plan has it, expressions as text.
   */
  readonly approval?: (given: Readonly<Record<string, unknown>>) => string | undefined
  /** What a dry run would do, in words; changes nothing. */
  readonly dryRun?: (input: I) => Effect.Effect<string, E, R>
  /** After a crash between intent and result: what happened? None when nothing did. */
  readonly probe?: (input: I) => Effect.Effect<Option.Option<O>, E, R>
  readonly run: (input: I) => Effect.Effect<O, E, R>
}

/** Any task type, for tables of them. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyTaskType = TaskType<any, any, any, any>
