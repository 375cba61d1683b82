import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { isAbsolute, join, relative, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { Artifact } from "../../../src/domain/artifact.ts"
import * as CanonicalJson from "../../../src/domain/canonical-json.ts"
import type { Sections } from "../../../src/domain/config/sections.ts"
import * as GatePolicy from "../../../src/domain/gate-policy.ts"
import type { Verdict } from "../../../src/domain/gate.ts"
import { digest as modelDigest, GatedModel } from "../../../src/domain/model.ts"
import { Envelope, preAuthEncoding, Statement } from "../../../src/domain/receipt.ts"
import * as Sha256 from "../../../src/domain/sha256.ts"
import { headline } from "../../../src/market/headline.ts"
import { Artifacts } from "../../../src/services/artifacts.ts"
import * as ArtifactsDirectory from "../../../src/services/artifacts-directory.ts"
import { Attempt } from "../../../src/services/attempt.ts"
import { Evidence, EvidenceError } from "../../../src/services/evidence.ts"
import * as ModelFiles from "../../../src/services/model-files.ts"
import * as RegistrySql from "../../../src/services/model-registry-sql.ts"
import { Settings } from "../../../src/services/settings.ts"
import { UnfinishedRuns } from "../../../src/services/unfinished-runs.ts"
import { PathRefused, Workspace } from "../../../src/services/workspace.ts"

const digestOf = (section: string) => Sha256.of(`${section} of dev`)
/** Digest of the policy that a backtest under the stage's settings names. */
export const policy = GatePolicy.backtest(digestOf).sha256
/** Partitions that the stage's models are trained on. */
export const datasets = [Sha256.of("EURUSD 2025-01"), Sha256.of("GBPUSD 2025-01")]

const sections = {
  storage: { models_root: ".dandori/models" },
  notifications: { severities: { info: ["research"], warning: [], critical: [] } },
  messaging: { channels: { ops_events: "core:ops:events" } },
  retention: { models_months: 2, models_min_versions: 2, deletion_grace_days: 3 },
}

/** Gives a project's folder a signing key, and a place for its receipts. */
export const equip = (root: string): void => {
  Fs.mkdirSync(join(root, "evidence"))
  const { privateKey, publicKey } = Crypto.generateKeyPairSync("ed25519")
  Fs.mkdirSync(join(root, ".dandori/keys"), { recursive: true })
  Fs.writeFileSync(join(root, ".dandori/keys/ledger.pub"), publicKey.export({ type: "spki", format: "pem" }))
  Fs.writeFileSync(join(root, "key.pem"), privateKey.export({ type: "pkcs8", format: "pem" }))
}

/** A new project folder with the ledger's key; removed with the scope. */
export const project = Effect.acquireRelease(
  Effect.sync(() => {
    const root = Fs.realpathSync(Fs.mkdtempSync(join(tmpdir(), "dandori-publish-")))
    equip(root)
    return root
  }),
  (root) => Effect.sync(() => Fs.rmSync(root, { recursive: true, force: true })),
)

const workspace = (root: string) =>
  Layer.succeed(Workspace, {
    project: root,
    home: join(root, ".dandori"),
    resolve: (path) => {
      const inside = relative(root, resolve(root, path))
      return inside.startsWith("..") || isAbsolute(inside)
        ? Effect.fail(new PathRefused({ path, reason: "it lies outside the project" }))
        : Effect.succeed(resolve(root, path))
    },
    display: (path) => relative(root, path),
  })

const settings = Layer.succeed(Settings, {
  env: "dev",
  sections: sections as unknown as Sections,
  digest: digestOf,
})

/** An attempt of the task `publish` in the run of this name. */
export const attempt = (
  run: string,
  notes: Array<Readonly<Record<string, unknown>>> = [],
  approvedBy: ReadonlyArray<string> = [],
) =>
  Layer.succeed(Attempt, {
    run,
    pipeline: "test",
    task: "publish",
    attempt: 1,
    plan: Sha256.of("plan"),
    env: "dev",
    idempotencyKey: `${run}/publish`,
    intent: Sha256.of(`intent of ${run}`),
    runCreated: 0,
    who: "tester",
    requester: "tester",
    approvedBy,
    scratch: tmpdir(),
    log: () => Effect.void,
    note: (facts) => Effect.sync(() => void notes.push(facts)),
  })

const decodeEnvelope = Schema.decodeUnknownEffect(Schema.fromJsonString(Envelope))
const decodeStatement = Schema.decodeUnknownEffect(Schema.fromJsonString(Statement))

/** Receipts in the project's `evidence` folder, newest last by name; signatures are really checked. */
export const evidence = (root: string) =>
  Layer.succeed(Evidence, {
    copyTo: () => Effect.die("there is no ledger here"),
    verifyFolder: () => Effect.die("there is no ledger here"),
    outputOf: () => Effect.die("there is no ledger here"),
    failureOf: () => Effect.die("there is no ledger here"),
    unreadable: () => Effect.succeed([]),
    receiptsFor: Effect.fnUntraced(
      function* (subject) {
        const key = Crypto.createPublicKey(Fs.readFileSync(join(root, "key.pem")))
        const names = Fs.readdirSync(join(root, "evidence")).toSorted().toReversed()
        const found = yield* Effect.forEach(names, (name) =>
          Effect.gen(function* () {
            const text = Fs.readFileSync(join(root, "evidence", name), "utf8")
            const envelope = yield* decodeEnvelope(text)
            const payload = Buffer.from(envelope.payload, "base64")
            const statement = yield* decodeStatement(payload.toString())
            const signature = Buffer.from(envelope.signatures[0].sig, "base64")
            const holds = Crypto.verify(null, preAuthEncoding(envelope.payloadType, payload), key, signature)
            const artifact: Artifact = {
              name: "receipt.json",
              sha256: Sha256.of(text),
              bytes: text.length,
              mediaType: "application/vnd.dsse.envelope.v1+json",
            }
            return { statement, artifact, problem: holds ? undefined : "the signature is not by the ledger's key" }
          }),
        )
        return found.filter(({ statement }) => statement.subject.some(({ digest }) => digest.sha256 === subject))
      },
      Effect.mapError((error) => new EvidenceError({ reason: error.message })),
    ),
    holds: () => Effect.succeed(true),
    head: Effect.die("not asked for by publish"),
    sign: (bytes) =>
      Effect.sync(() => {
        const key = Crypto.createPrivateKey(Fs.readFileSync(join(root, "key.pem")))
        return { keyid: "test", signature: new Uint8Array(Crypto.sign(null, bytes, key)) }
      }),
    publicKey: Effect.die("not asked for by publish"),
  })

/** Everything that publishing needs but the attempt. */
export const services = (root: string) =>
  Layer.mergeAll(ModelFiles.layer, RegistrySql.layerState).pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        workspace(root),
        settings,
        ArtifactsDirectory.layer(join(root, "artifacts")),
        evidence(root),
        Layer.succeed(UnfinishedRuns, { list: () => Effect.succeed([]) }),
      ),
    ),
  )

/** What a receipt says. */
export interface Says {
  readonly gate: "backtest" | "dq"
  readonly subjects: ReadonlyArray<Sha256.Sha256>
  readonly result?: Verdict
  readonly env?: "dev" | "prod"
  readonly policy?: Sha256.Sha256
  /** What the subjects are called; default: a model's version. */
  readonly name?: string
  /** The run whose gate says it. */
  readonly run?: string
  /** Signs with a key of its own. */
  readonly forged?: boolean
}

/** Versions of the models that were made here, by digest. */
const versions = new Map<Sha256.Sha256, string>()

/** Signs a receipt and puts it, as the newest, into the evidence and the artifact store. */
export const receipt = Effect.fnUntraced(function* (root: string, says: Says) {
  const key = says.forged
    ? Crypto.generateKeyPairSync("ed25519").privateKey
    : Crypto.createPrivateKey(Fs.readFileSync(join(root, "key.pem")))
  const payload = Buffer.from(
    CanonicalJson.encode({
      _type: "https://in-toto.io/Statement/v1",
      subject: says.subjects.map((sha256) => ({
        name: says.name ?? versions.get(sha256) ?? "subject",
        digest: { sha256 },
      })),
      predicateType: "https://in-toto.io/attestation/test-result/v0.1",
      predicate: {
        result: says.result ?? "PASSED",
        configuration: [{ name: "policy", digest: { sha256: says.policy ?? policy } }],
        dandori: {
          gate: says.gate,
          env: says.env ?? "dev",
          plan: Sha256.of("plan"),
          run: says.run ?? "run",
          task: says.gate,
          event: Sha256.of("event"),
          sequence: 7,
        },
      },
    }),
  )
  const payloadType = "application/vnd.in-toto+json"
  const sig = Crypto.sign(null, preAuthEncoding(payloadType, payload), key).toString("base64")
  const text = CanonicalJson.encode({
    payloadType,
    payload: payload.toString("base64"),
    signatures: [{ keyid: "test", sig }],
  })
  const order = String(Fs.readdirSync(join(root, "evidence")).length).padStart(4, "0")
  Fs.writeFileSync(join(root, "evidence", `${order}.json`), text)
  return yield* (yield* Artifacts).put("receipt.json", "application/json", text)
})

const classifier = {
  kFold: {
    outOfSample: {
      calibrated: { rows: 90, baseRate: 0.6, auc: 0.7, prAuc: 0.8, logLoss: null, brier: 0.2, ece: 0.1 },
    },
  },
  walkForward: { outOfSample: { uncalibrated: { auc: 0.65 } } },
}
const metrics = {
  ai1: classifier,
  ai2: classifier,
  outOfFoldSimulation: { annualReturn: 0.1, sharpe: 1.5, maxDrawdown: 0.05, tradesPerYear: 200, haltRate: null },
}
const slot = { legA: "EURUSD", legB: "GBPUSD", timeframe: "1h" }

/**
 * A model of five files in the artifact store, and of those that are `more`. `seed` makes its bytes; `dependencies` what
 * its provenance names.
 */
export const model = Effect.fnUntraced(function* (
  version: string,
  seed = version,
  over: {
    readonly dependencies?: ReadonlyArray<string>
    readonly datasets?: ReadonlyArray<Sha256.Sha256>
    readonly more?: ReadonlyArray<Artifact>
  } = {},
) {
  const artifacts = yield* Artifacts
  const provenance = {
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        internalParameters: { synthetic: true, created: "2025-01-02T03:04:05.000Z" },
        resolvedDependencies: [
          { name: "code", digest: { gitCommit: "abc" } },
          ...(over.dependencies ?? datasets).map((sha256, at) => ({ name: `dataset/${at}`, digest: { sha256 } })),
        ],
      },
    },
  }
  const theta = "theta1: 0.7\ntheta2: 0.3\nhistory:\n  - theta1: 0.68\n"
  const files = [
    yield* artifacts.put("model_ai1.json", "application/json", JSON.stringify({ seed })),
    yield* artifacts.put("theta.yaml", "application/yaml", theta),
    yield* artifacts.put("provenance.json", "application/json", JSON.stringify(provenance)),
    yield* artifacts.put("feature_schema.json", "application/json", JSON.stringify({ slot })),
    yield* artifacts.put("metrics.json", "application/json", JSON.stringify(metrics)),
    ...(over.more ?? []),
  ]
  const digest = modelDigest(files)
  versions.set(digest, version)
  return Schema.decodeUnknownSync(GatedModel)({
    version,
    slot,
    digest,
    files,
    datasets: over.datasets ?? datasets,
    metrics: { ...headline(metrics, { theta1: 0.7, theta2: 0.3 }), bt_sharpe: 1.4 },
    synthetic: true,
    data: {
      timeframe: "1h",
      symbols: [],
      format: "parquet",
      partitions: [],
      rows: 0,
      synthetic: true,
      source: "test",
      digest: Sha256.of(""),
    },
  })
})

/** A model with all the receipts that it needs. */
export const passed = Effect.fnUntraced(function* (
  root: string,
  version: string,
  seed = version,
  more: ReadonlyArray<Artifact> = [],
) {
  const made = yield* model(version, seed, { more })
  yield* receipt(root, { gate: "dq", subjects: datasets, policy: Sha256.of("expectations") })
  yield* receipt(root, { gate: "backtest", subjects: [made.digest] })
  return made
})
