import * as Flag from "effect/cli/Flag"

/** `--wait`: stay while people are awaited. */
export const waitFlag = Flag.Boolean("wait").pipe(
  Flag.withDescription("Stay while only people are awaited, instead of ending with 16"),
  Flag.withDefault(false),
)

/** `--from` and `--only`: what of a run is done again. */
export const againFlags = {
  from: Flag.String("from").pipe(
    Flag.withMetavar("TASK"),
    Flag.withDescription("Run again from this task or instance on; what stands before it is taken over"),
    Flag.optional,
  ),
  only: Flag.String("only").pipe(
    Flag.withMetavar("TASK"),
    Flag.withDescription("Run this task or instance alone; what it needs is taken over"),
    Flag.optional,
  ),
}
