import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** `dandori evacuate verify …`: what became of an evacuation's bundles. */
export const evacuateVerify = Command.make(
  "verify",
  {
    where: Argument.String("where").pipe(
      Argument.withDescription(
        "A bundle's folder, an incident's folder, or with --incident a destination: a folder or s3://bucket/prefix",
      ),
    ),
    incident: Flag.String("incident").pipe(
      Flag.withMetavar("ID"),
      Flag.withDescription("The incident whose bundles at the destination are verified"),
      Flag.optional,
    ),
    key: Flag.String("key").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription("The public key in PEM, kept elsewhere (default: configs/base/trust.yaml)"),
      Flag.optional,
    ),
  },
  Effect.fn(function* ({ incident, key, where }) {
    const { verifyBundles } = yield* Effect.promise(() => import("../evacuate-verify.ts"))
    yield* verifyBundles(where, { incident: Option.getOrUndefined(incident), key: Option.getOrUndefined(key) })
  }),
).pipe(
  Command.withDescription(
    "Read every byte of an evacuation's bundles and compare it with what was signed. Exit codes: 0 whole and complete, 14 whole but not complete, 10 altered or extra files, 12 signature, 13 missing files",
  ),
  Command.withExamples([
    { command: "dandori evacuate verify /media/usb/evidence --key ledger.pub", description: "A bundle, offline" },
    {
      command: "dandori evacuate verify s3://ml-assets/core --incident IR-20261127T031400Z",
      description: "At a destination",
    },
  ]),
)
