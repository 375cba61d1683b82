import { type BundleItem, type BundleManifest, type Coverage, prefixOf } from "./bundle.ts"
import type { BundleName, Collected, NotTaken, SourceFile } from "./collected.ts"
import type { Incident } from "./incident.ts"
import type { PackedTar } from "./packed-tar.ts"
import type { Pushed } from "./pushed.ts"
import { inOrder } from "./sums.ts"

/** What an incident's lists say. */
export interface Lists {
  readonly incident: Incident
  readonly collected: ReadonlyArray<Collected>
  readonly inventory: ReadonlyArray<SourceFile>
  readonly notTaken: ReadonlyArray<NotTaken>
  readonly pushed: ReadonlyArray<Pushed>
  readonly tars: ReadonlyArray<PackedTar>
}

/** What a bundle holds and what it does not. */
export type Content = Pick<BundleManifest, "items" | "notTaken" | "collected" | "coverage">

/** The last line of each key. */
const lastBy = <A>(lines: ReadonlyArray<A>, keyOf: (line: A) => string): ReadonlyMap<string, A> =>
  new Map(lines.map((line) => [keyOf(line), line]))

/** How each collector ended when it was tried last. */
export const newest = (lines: ReadonlyArray<Collected>): ReadonlyArray<Collected> => [
  ...lastBy(lines, ({ collector }) => collector).values(),
]

const sourceKey = ({ collector, source }: Pick<NotTaken, "collector" | "source">) => `${collector}\n${source}`

/** What of an object is the same in the manifest. */
const ofPushed = (
  { bytes, original, parts, redactions, sha256, unstable }: Pushed,
  path: string,
): Pick<BundleItem, "path" | "bytes" | "sha256" | "unstable" | "parts" | "original" | "redactions"> => ({
  path,
  bytes,
  sha256,
  ...(unstable === true ? { unstable } : {}),
  ...(parts === undefined ? {} : { parts }),
  ...(original === undefined ? {} : { original }),
  ...(redactions === undefined ? {} : { redactions }),
})

/** The collector of an object whose line in the inventory was lost. */
const collectorOf = (path: string) => /^[A-Za-z0-9][A-Za-z0-9_-]*/.exec(path)?.[0] ?? "unknown"

const fileItem = (pushed: Pushed, path: string, file: SourceFile | undefined): BundleItem => ({
  ...ofPushed(pushed, path),
  mtime: pushed.seen.mtimeNs === "0" ? (file?.mtime ?? 0) : Math.floor(Number(pushed.seen.mtimeNs) / 1e6),
  mode: file?.mode ?? 0o600,
  uid: file?.uid ?? 0,
  gid: file?.gid ?? 0,
  collector: file?.collector ?? collectorOf(path),
  source: file?.source ?? path,
})

/** Of each tar that was sent, the tar itself and what is in it. */
const tarItems = (
  tars: ReadonlyArray<PackedTar>,
  pushed: ReadonlyMap<string, Pushed>,
  collected: ReadonlyArray<Collected>,
): ReadonlyArray<BundleItem> =>
  tars.flatMap(({ bytes, members, sha256, tar }) => {
    const sent = pushed.get(tar)
    if (sent?.sha256 !== sha256) return []
    const owner = { mode: 0o600, uid: 0, gid: 0 }
    const mtime = Math.max(...members.map((member) => member.mtime))
    const parts = sent.parts === undefined ? {} : { parts: sent.parts }
    const own: BundleItem = { path: tar, bytes, sha256, mtime, ...owner, collector: "captures", source: tar, ...parts }
    return [
      own,
      ...members.map((member): BundleItem => {
        const redactions = collected.find(({ path }) => path === member.path)?.redactions
        const { collector, path } = member
        return {
          path,
          bytes: member.bytes,
          sha256: member.sha256,
          mtime: member.mtime,
          ...owner,
          collector,
          source: path,
          inTar: true,
          ...(redactions === undefined ? {} : { redactions }),
        }
      }),
    ]
  })

const coverageOf = (
  items: ReadonlyArray<BundleItem>,
  isTar: (item: BundleItem) => boolean,
  notTaken: ReadonlyArray<NotTaken>,
  collected: ReadonlyArray<Collected>,
): Coverage => {
  const ended = (outcome: Collected["outcome"]) => collected.filter((each) => each.outcome === outcome).length
  const taken = items.filter((item) => !isTar(item)).length
  const missing = notTaken.filter(({ noBytes }) => noBytes !== true).length
  return {
    seen: taken + missing,
    taken,
    notTaken: missing,
    unstable: items.filter(({ unstable }) => unstable === true).length,
    collectors: { ok: ended("ok"), skipped: ended("skipped"), failed: ended("failed") },
  }
}

/** True where all that was seen is there, and no collector failed. */
export const isComplete = ({ coverage }: Pick<Content, "coverage">): boolean =>
  coverage.notTaken === 0 && coverage.collectors.failed === 0

/**
 * What a bundle holds at a rung. Of lines about the same thing the last counts; what was taken in the end is no longer
 * not taken, and what is not taken without a word is listed as such.
 */
export const contentOf = (lists: Lists, bundle: BundleName, rung: string | undefined): Content => {
  const newestOf = newest(lists.collected)
  const collected = newestOf.filter(({ to }) => to === bundle)
  const prefix = `${prefixOf(lists.incident, bundle)}/`
  const pushed = lastBy(
    lists.pushed.filter((line) => line.rung === rung && line.to === bundle),
    ({ path }) => path,
  )
  const inventory = lastBy(
    lists.inventory.filter(({ to }) => to === bundle),
    ({ path }) => path,
  )
  const tarNames = new Set(lists.tars.map(({ tar }) => tar))
  const files = [...pushed.values()].flatMap((line) => {
    if (bundle === "evidence" && tarNames.has(line.path)) return []
    const place = line.key.startsWith(prefix) ? line.key.slice(prefix.length) : line.path
    return [fileItem(line, place, inventory.get(line.path))]
  })
  const tarred = bundle === "evidence" ? tarItems(lists.tars, pushed, newestOf) : []
  const items = [...lastBy([...tarred, ...files], ({ path }) => path).values()].toSorted(inOrder)

  const taken = new Set(items.map(sourceKey))
  const homes = new Map<string, BundleName>([
    ...lists.inventory.map(({ collector, to }) => [collector, to] as const),
    ...newestOf.map(({ collector, to }) => [collector, to] as const),
  ])
  const isHere = ({ collector }: NotTaken) => (homes.get(collector) ?? "evidence") === bundle
  // Of a tar that was not sent, what is in it is listed.
  const tarOf = ({ collector, source }: NotTaken) =>
    collector === "captures" ? lists.tars.find(({ tar }) => source.endsWith(`/${tar}`)) : undefined
  const why = new Map(lists.notTaken.map((line) => [tarOf(line)?.tar, line.reason]))
  const said = lists.notTaken.filter((line) => isHere(line) && tarOf(line) === undefined)
  const unsent = [...inventory.values()]
    .filter(({ path }) => !pushed.has(path))
    .map(({ bytes, collector, source }): NotTaken => ({ collector, source, reason: "it was not sent", bytes }))
  const lost = collected.flatMap(({ bytes, collector, outcome, path }): ReadonlyArray<NotTaken> => {
    if (bundle !== "evidence" || outcome !== "ok" || path === undefined || taken.has(`${collector}\n${path}`)) return []
    const packed = lists.tars.find(({ members }) => members.some((member) => member.path === path))?.tar
    const reason =
      packed === undefined
        ? "it is in no tar: it was not packed, or is no longer what was captured"
        : `its tar was not sent: ${why.get(packed) ?? "nobody said why"}`
    return [{ collector, source: path, reason, bytes }]
  })
  const notTaken = [...lastBy([...unsent, ...lost, ...said], sourceKey).values()]
    .filter((line) => !taken.has(sourceKey(line)))
    .toSorted((a, b) => inOrder({ path: sourceKey(a) }, { path: sourceKey(b) }))

  const isTar = ({ path }: BundleItem) => bundle === "evidence" && tarNames.has(path)
  return { items, notTaken, collected, coverage: coverageOf(items, isTar, notTaken, collected) }
}

/** True where a bundle has nothing to hold and nothing to tell. */
export const isEmpty = ({ coverage, items }: Content): boolean =>
  items.length === 0 && coverage.notTaken === 0 && coverage.collectors.failed === 0
