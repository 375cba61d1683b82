import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Checksums from "../../src/domain/checksums.ts"
import type { Model } from "../../src/domain/model.ts"
import * as ModelDigest from "../../src/domain/model.ts"
import { filesGo, type ModelRow, type Warrant } from "../../src/domain/registry.ts"
import { Attempt } from "../../src/services/attempt.ts"
import { ModelFiles, type VersionFolder } from "../../src/services/model-files.ts"
import { FilesPurged, ModelRegistry, VersionConflict } from "../../src/services/model-registry.ts"
import { Settings } from "../../src/services/settings.ts"
import { Workspace } from "../../src/services/workspace.ts"
import * as Content from "./content.ts"
import { ModelRefused, StagingFailed, VersionDamaged } from "./errors.ts"
import * as Evidence from "./evidence.ts"
import * as Outbox from "./outbox.ts"
import type { Published, PublishInput } from "./schema.ts"

const wantsDeploy = (input: PublishInput) => input.deploy ?? true

const warrantOf = (input: PublishInput) =>
  Effect.map(Attempt, ({ idempotencyKey, intent, pipeline, run, task, who }): Warrant => ({
    who,
    reason: input.reason?.trim() || `published by ${pipeline}/${task}`,
    intent,
    run,
    task,
    key: idempotencyKey,
  }))

/** Failures before the rename: nothing was published. */
const nothingPublished =
  (version: string) => (error: { readonly _tag: string; readonly message: string; readonly transient?: boolean }) =>
    new StagingFailed({ version, reason: error.message, transient: error.transient === true, cause: error })

/** The folder of a published version, when it holds exactly these bytes. */
const published = Effect.fnUntraced(function* (model: Pick<Model, "version" | "digest">) {
  const files = yield* ModelFiles
  const folder = yield* files.folder(model.version)
  if (!(yield* files.exists(folder))) return Option.none<VersionFolder>()
  const { differences, list } = yield* files.verify(model.version)
  if (differences.length > 0 || list === undefined) {
    const path = (yield* Workspace).display(folder.path)
    return yield* new VersionDamaged({
      version: model.version,
      path,
      differences: differences.map(Checksums.describe),
    })
  }
  if (list.root_digest === model.digest) return Option.some(folder)
  return yield* new VersionConflict({ version: model.version, found: list.root_digest, offered: model.digest })
})

/** Stages the model's files, checks the staged bytes and their evidence, and seals them: the folder is ready to be placed. */
const stage = Effect.fn("publish.stage")(function* ({ model, strict }: PublishInput) {
  const files = yield* ModelFiles
  const { run, task, plan } = yield* Attempt
  const folder = yield* files.stage(model.version)
  yield* Effect.forEach(model.files, (file) => files.add(folder, file.name, file))
  const content = yield* Content.examine(folder, model)
  const passed = yield* Evidence.gather(model, content.digest, strict ?? false)
  const receipts = yield* Effect.forEach(passed.receipts, ({ artifact, statement }) => {
    const { bytes, sha256 } = artifact
    const path = `${Checksums.receiptsFolder}/${statement.predicate.dandori.gate}-${sha256.slice(0, 16)}.json`
    return Effect.as(files.add(folder, path, artifact), { path, sha256, bytes })
  })
  const metadata = {
    slot: ModelDigest.slotText(model.slot),
    synthetic: model.synthetic,
    metrics: model.metrics,
    run,
    task,
    plan,
  }
  yield* files.seal(folder, Checksums.make(model.version, [...content.found, ...receipts], metadata))
  const { differences } = yield* files.check(folder)
  if (differences.length > 0) {
    return yield* new StagingFailed({
      version: model.version,
      reason: `the staged files were read back and differ (${differences.map(Checksums.describe).join("; ")}); check the disk`,
      transient: false,
    })
  }
  return { folder, theta: content.theta, passed }
})

/** The version's folder and its evidence: what lies there with these bytes already, or a new one. */
const place = Effect.fn("publish.place")(function* (input: PublishInput) {
  const { model } = input
  const files = yield* ModelFiles
  const there = yield* published(model)
  const before = nothingPublished(model.version)
  if (Option.isSome(there)) {
    const ready = Effect.gen(function* () {
      const { digest, theta } = yield* Content.examine(there.value, model)
      return { folder: there.value, theta, passed: yield* Evidence.gather(model, digest, input.strict ?? false) }
    })
    return { ...(yield* ready.pipe(Effect.catchTags({ FileFailed: before, EvidenceError: before }))), wasThere: true }
  }
  const staged = yield* stage(input).pipe(
    Effect.catchTags({ FileFailed: before, ArtifactError: before, EvidenceError: before, SigningFailed: before }),
  )
  return { ...staged, folder: yield* files.place(staged.folder), wasThere: false }
})

type Placed = Effect.Success<ReturnType<typeof place>>

/** The registry's part, to be one transaction: the row, its way to `deployed`, the alias, the outbox. */
const enter = Effect.fn("publish.enter")(function* (input: PublishInput, { folder, passed, theta }: Placed) {
  const { model } = input
  const registry = yield* ModelRegistry
  const warrant = yield* warrantOf(input)
  const before = yield* registry.find(model.version)
  const row: ModelRow = yield* registry.register(
    {
      version: model.version,
      slot: model.slot,
      digest: model.digest,
      path: (yield* Workspace).display(folder.path),
      theta,
      metrics: model.metrics,
      datasets: model.datasets,
      receipts: passed.receipts.map(({ artifact }) => artifact.sha256),
      synthetic: model.synthetic,
    },
    "candidate",
    warrant,
  )
  const registered = Option.isSome(before)
  if (!wantsDeploy(input) || row.status === "deployed") {
    return { registered, deployed: row.status === "deployed", previous: null }
  }
  if (row.status === "draft") yield* registry.transition(model.version, "candidate", warrant)
  if (row.status === "draft" || row.status === "candidate") {
    yield* registry.transition(model.version, "approved", {
      ...warrant,
      reason: `${warrant.reason} (its gates passed)`,
    })
  }
  const { notifications, messaging } = (yield* Settings).sections
  const champion = yield* registry.champion(model.slot)
  const outbox = Outbox.messages(model, Option.getOrUndefined(champion)?.version, warrant, notifications, messaging)
  const move = yield* registry.deploy(
    model.version,
    { previousBecomes: "archived", receipt: passed.backtest.artifact.sha256, outbox },
    warrant,
  )
  return { registered, deployed: true, previous: move.from }
})

/** What retention has purged is not published again under its version. Asked under the claim, which a purge needs too. */
const notPurged = Effect.fnUntraced(function* (version: string) {
  const state = Option.getOrUndefined(yield* (yield* ModelRegistry).filesOf(version))
  if (state !== undefined && filesGo(state.state)) return yield* FilesPurged.of(state)
})

/** Publishes a model version, all or nothing. See the task type. */
export const run = Effect.fn("publish.run")(
  function* (input: PublishInput) {
    const { model } = input
    const files = yield* ModelFiles
    const registry = yield* ModelRegistry
    const attempt = yield* Attempt
    yield* files.folder(model.version)
    const problems = Content.nameProblems(model)
    if (problems.length > 0) return yield* new ModelRefused({ version: model.version, problems })
    yield* files.claim
    const swept = yield* files.sweep
    yield* Effect.addFinalizer(() => Effect.ignore(files.sweep))
    if (swept.length > 0) yield* attempt.log(`removed what an earlier attempt left staged: ${swept.join(", ")}`)
    const known = Option.getOrUndefined(yield* registry.find(model.version))
    if (known !== undefined && known.digest !== model.digest) {
      return yield* new VersionConflict({ version: model.version, found: known.digest, offered: model.digest })
    }
    yield* notPurged(model.version)
    const placed = yield* place(input)
    const entered = yield* registry.atomically(enter(input, placed))
    const output: Published = {
      version: model.version,
      digest: model.digest,
      slot: ModelDigest.slotText(model.slot),
      path: (yield* Workspace).display(placed.folder.path),
      deployed: entered.deployed,
      ...(entered.previous === null ? {} : { previous: entered.previous }),
      receipts: placed.passed.receipts.map(({ artifact }) => artifact.sha256),
      alreadyPublished: placed.wasThere && entered.registered,
    }
    yield* attempt.note(output)
    return output
  },
  (effect) => Effect.scoped(effect),
)

/** Whether this task of this run has published already: its own rows in the registry, over folder and row of these bytes. */
export const probe = Effect.fn("publish.probe")(function* (input: PublishInput) {
  const { model } = input
  const registry = yield* ModelRegistry
  const row = Option.getOrUndefined(yield* registry.find(model.version))
  if (row === undefined || row.digest !== model.digest) return Option.none<Published>()
  const { events, moves } = yield* registry.doneBy((yield* Attempt).idempotencyKey)
  const move = moves.find(({ version }) => version === model.version)
  const registered = events.some(({ from, version }) => version === model.version && from === null)
  if (wantsDeploy(input) ? move === undefined : !registered) return Option.none<Published>()
  const { differences, path } = yield* (yield* ModelFiles).verify(model.version)
  if (differences.length > 0) return Option.none<Published>()
  const previous = move?.from ?? null
  return Option.some<Published>({
    version: model.version,
    digest: model.digest,
    slot: ModelDigest.slotText(model.slot),
    path: (yield* Workspace).display(path),
    deployed: move !== undefined,
    ...(previous === null ? {} : { previous }),
    receipts: row.receipts,
    alreadyPublished: !registered,
  })
})

/** What publishing would do, from the registry, the version's folder and the receipts of the claimed digest. */
export const dryRun = Effect.fn("publish.dryRun")(function* (input: PublishInput) {
  const { model } = input
  const registry = yield* ModelRegistry
  const problems = [...Content.nameProblems(model)]
  const digest = ModelDigest.digest(model.files)
  if (digest !== model.digest) problems.push("its digest is not the digest of its files")
  if (problems.length > 0) return yield* new ModelRefused({ version: model.version, problems })
  const there = yield* published(model)
  const { receipts } = yield* Evidence.gather(model, digest, input.strict ?? false)
  const row = Option.getOrUndefined(yield* registry.find(model.version))
  if (row !== undefined && row.digest !== model.digest) {
    return yield* new VersionConflict({ version: model.version, found: row.digest, offered: model.digest })
  }
  yield* notPurged(model.version)
  const champion = Option.getOrUndefined(yield* registry.champion(model.slot))?.version
  const place = Option.isSome(there) ? "it is published already" : `would place ${model.files.length} files`
  const slot = ModelDigest.slotText(model.slot)
  const alias =
    !wantsDeploy(input) || champion === model.version
      ? `the champion of ${slot} stays ${champion ?? "none"}`
      : `would become champion of ${slot} in place of ${champion ?? "none"}`
  return `${model.version}: ${place} with ${receipts.length} receipts; ${alias}`
})
