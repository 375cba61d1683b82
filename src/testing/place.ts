import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as CanonicalJson from "../domain/canonical-json.ts"
import { Catalog } from "../domain/catalog.ts"
import { routesOf } from "../domain/config/notifications.ts"
import { roots } from "../domain/config/storage.ts"
import type { Capacity } from "../domain/event.ts"
import * as Sha256 from "../domain/sha256.ts"
import type { TaskServices } from "../engine/task-services.ts"
import * as EvidenceLedger from "../ledger/evidence-ledger.ts"
import * as NamedBytes from "../ledger/named-bytes-ledger.ts"
import * as LedgerKey from "../ledger/keys.ts"
import { Ledger } from "../ledger/ledger.ts"
import * as LedgerSegments from "../ledger/ledger-segments.ts"
import * as ArtifactsDirectory from "../services/artifacts-directory.ts"
import { AttemptFiles } from "../services/attempt-files.ts"
import * as Cordons from "../services/cordons.ts"
import * as Incidents from "../services/evacuation/incident/incidents.ts"
import * as Inbox from "../services/inbox.ts"
import { CacheIndex, type CacheRecord } from "../services/cache-index.ts"
import { CodeDigest } from "../services/code-digest.ts"
import * as DuckDbEmbedded from "../services/duckdb-embedded.ts"
import { Ids } from "../services/ids.ts"
import { Leases } from "../services/leases.ts"
import * as ModelFiles from "../services/model-files.ts"
import * as ModelRegistry from "../services/model-registry-sql.ts"
import { type Message, Notifier } from "../services/notifier.ts"
import * as ObjectStore from "../services/object-store-directory.ts"
import * as Processes from "../services/processes-local.ts"
import * as Secrets from "../services/secrets.ts"
import { Settings } from "../services/settings.ts"
import * as SettingsFiles from "../services/settings-files.ts"
import * as SignalsEmbedded from "../services/signals-embedded.ts"
import * as WorkspaceFiles from "../services/workspace-files.ts"
import * as Casting from "./casting.ts"
import * as FixedIds from "./fixed-ids.ts"
import * as Turns from "./turns.ts"
import * as VirtualClock from "./virtual-clock.ts"

/** When every test begins: 2025-01-01 00:00 UTC. */
export const start = Date.UTC(2025, 0, 1)

/** What this machine is taken to offer. */
export const capacity: Capacity = { cpu: 4, memory: 8 * 2 ** 30, gpu: 0, pools: { trainers: 1 }, attempts: 64 }

/** Where a test runs: a project's files and configuration, and a home of its own with a virtual clock. */
export interface Place {
  readonly project: string
  readonly home: string
  readonly clock: VirtualClock.VirtualClock
  readonly turns: Turns.Turns
  readonly configuration: SettingsFiles.Configuration
  /** The messages that were sent, in order. */
  readonly messages: Array<Message>
}

/** The public test key of RFC 8032, section 7.1: whoever finds a test's receipt must be able to forge it. */
const seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
const pem = `-----BEGIN PRIVATE KEY-----\n${Buffer.from(`302e020100300506032b657004220420${seed}`, "hex").toString("base64")}\n-----END PRIVATE KEY-----\n`

/**
 * A place for one test: `project` (default: the nearest one, from the working folder upwards) and a temporary home,
 * which goes with the scope.
 */
export const make = Effect.fn("Place.make")(function* (folder: string | undefined) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const project = folder === undefined ? (yield* WorkspaceFiles.findProject(".")).project : path.resolve(folder)
  const configuration = yield* SettingsFiles.load(project, "dev")
  const home = yield* Effect.acquireRelease(
    Effect.flatMap(fs.makeTempDirectory({ prefix: "dandori-test-" }), fs.realPath),
    (made) => Effect.ignore(fs.remove(made, { recursive: true })),
  )
  yield* fs.makeDirectory(path.join(home, "keys"), { mode: 0o700 })
  yield* fs.writeFileString(path.join(home, "keys", "ledger.key"), pem, { mode: 0o600 })
  const clock = VirtualClock.make(start)
  const place: Place = { project, home, configuration, clock, turns: Turns.make(), messages: [] }
  return place
})

/** The configuration, with every root inside the place's home. */
const settings = ({ configuration: { env, sections }, home }: Place) => {
  const storage = Object.fromEntries(
    roots(sections.storage).map(([key]) => [key, `${home}/${key.replace(/_root$/, "")}`]),
  )
  return Layer.succeed(Settings, {
    env,
    sections: { ...sections, storage: { ...sections.storage, ...storage } },
    digest: (name) => CanonicalJson.digest(sections[name]),
  })
}

/** Keeps messages instead of delivering them. */
const notifier = (place: Place) =>
  Layer.succeed(Notifier, {
    send: (message) =>
      Effect.sync(() => {
        const { notifications } = place.configuration.sections
        const routes = routesOf(notifications, message.channel, message.severity) ?? []
        return { id: `message-${place.messages.push(message)}`, to: routes.map(({ to }) => to) }
      }),
  })

/** Remembers at once, so that who comes later finds it. */
const cacheIndex = Layer.sync(CacheIndex, () => {
  const records = new Map<string, CacheRecord>()
  return CacheIndex.of({
    get: (key) => Effect.sync(() => Option.fromNullishOr(records.get(key))),
    put: (key, record) => Effect.sync(() => void records.set(key, record)),
    forget: (key, run) => Effect.sync(() => void (records.get(key)?.run === run && records.delete(key))),
  })
})

const segments = ({ home }: Place) =>
  LedgerSegments.layer({
    folder: `${home}/ledger`,
    author: { source: "dandori://dev/test", authid: "tester", authtype: "user" },
    flushIntervalMillis: 1_000,
  })

/** Segment files whose ids, of runs and of the root alike, are the same in every run of the test. */
const ledger = (place: Place) =>
  Layer.effect(
    Ledger,
    Effect.gen(function* () {
      const ids = (series: number) => Effect.provideService(Ids, FixedIds.make(place.clock, series))
      const runs = Context.get(yield* Layer.build(segments(place)).pipe(ids(1)), Ledger)
      const books = Context.get(yield* Layer.build(segments(place)).pipe(ids(2)), Ledger)
      return Ledger.of({
        ...runs,
        record: (stream, events) => VirtualClock.holding(place.clock, "books")(books.record(stream, events)),
      })
    }),
  )

/** What a test changes of a place's services. */
export interface Options<A, E> {
  /** Task types in place of others, by task id or by type. */
  readonly tasks?: Casting.Cast
  /** Services in place of the embedded ones; they may use those. */
  readonly layers?: Layer.Layer<A, E, TaskServices>
  /** The environment's variables. */
  readonly environment?: Readonly<Record<string, string>>
}

/**
 * The services of a place: the embedded ones in its home, a notifier that keeps messages, fixed ids and a fixed key, and
 * over them what the test gives.
 */
export const services = <A = never, E = never>(
  place: Place,
  catalog: Layer.Layer<Catalog>,
  options: Options<A, E> = {},
) => {
  const { project, home, clock } = place
  const cast = Layer.effect(
    Catalog,
    Effect.map(Catalog, (real) => Casting.catalog(real, options.tasks ?? {}, clock, place.turns)),
  )
  const base = Layer.mergeAll(
    settings(place),
    WorkspaceFiles.layer({ project, home, extraRoots: [], allowUserPaths: true }),
    ArtifactsDirectory.layer(`${home}/artifacts`),
    LedgerKey.layer(home).pipe(Layer.provideMerge(ledger(place))),
    AttemptFiles.layer(home, place.configuration.sections.limits),
    cacheIndex,
    Inbox.layerNobody,
    Cordons.layerNone,
    Incidents.layer({ root: `${home}/incidents`, projectHome: home }),
    Leases.layerAlone,
    Processes.layer({ folder: `${home}/processes` }),
    Secrets.layer({ project, environment: options.environment ?? {} }),
    ObjectStore.layer,
    DuckDbEmbedded.layer,
    notifier(place),
    Layer.provide(cast, catalog),
    Layer.succeed(CodeDigest, () => Sha256.of("code under test")),
    Layer.succeed(Ids, FixedIds.make(clock, 0)),
  ).pipe(Layer.provideMerge(NodeServices.layer))
  const upper = Layer.mergeAll(
    EvidenceLedger.layer(home),
    ModelRegistry.layerState,
    ModelFiles.layer,
    SignalsEmbedded.layer(place.configuration.sections.messaging),
  )
  const embedded = NamedBytes.layer.pipe(Layer.provideMerge(upper), Layer.provideMerge(base))
  const own = options.layers ?? (Layer.empty as unknown as Layer.Layer<A, E, TaskServices>)
  return Layer.fresh(own.pipe(Layer.provideMerge(embedded)))
}
