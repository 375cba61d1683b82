import { bundleFiles, type BundleManifest, type SignedBy } from "./bundle.ts"
import type { NotTaken } from "./collected.ts"

/** What a README speaks of. `location` is the destination's, `prefix` the bundle's there; without them it lies beside. */
export interface Subject {
  readonly manifest: Omit<BundleManifest, "root">
  readonly tars: ReadonlyArray<string>
  readonly signedBy: SignedBy
  readonly location?: string
  readonly prefix?: string
  /** The folder of the bundle's own files in the bundle; empty where they lie at its top. */
  readonly own: string
}

/** Most things that a README says are missing; the manifest has all. */
const mostListed = 20

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
const block = (...lines: ReadonlyArray<string>) => ["```sh", ...lines, "```"].join("\n")
/** A text from elsewhere as code: on one line, and nothing else than a text. */
const code = (text: string) => {
  const shown = JSON.stringify(text).slice(1, -1).replaceAll("`", "'")
  return `\`${shown.length > 200 ? `${shown.slice(0, 200)}…` : shown}\``
}

const fetching = ({ location, manifest, prefix }: Subject): ReadonlyArray<string> => {
  if (location === undefined || prefix === undefined) return []
  const folder = manifest.bundle
  const isBucket = location.startsWith("s3:")
  const from = `${location.replace(/\/$/, "")}/${prefix}`
  return [
    "## 1. Fetch it",
    "",
    isBucket
      ? "With the AWS command line and the credentials (and `--endpoint-url`, where it is not Amazon's) of the bucket:"
      : "It lies in a folder:",
    "",
    block(isBucket ? `aws s3 sync ${quoted(from)} ${folder}` : `cp -R ${quoted(from)} ${folder}`, `cd ${folder}`),
    "",
    "All commands below are for that folder.",
    "",
  ]
}

const unpacking = (tars: ReadonlyArray<string>): ReadonlyArray<string> =>
  tars.length === 0
    ? []
    : [
        "## 2. Unpack it",
        "",
        "What was captured of the machine lies in a tar; the checks below want it unpacked:",
        "",
        block(...tars.map((tar) => `tar -xf ${tar}`)),
        "",
      ]

const checking = ({ own }: Subject): ReadonlyArray<string> => {
  const at = (name: string) => `${own === "" ? "" : `${own}/`}${name}`
  const verify = (name: string, signature: string) =>
    `openssl pkeyutl -verify -pubin -inkey ${at(bundleFiles.key)} -rawin -in ${at(name)} -sigfile ${at(signature)}`
  return [
    "## 3. Check it",
    "",
    "Every file against its digest; nothing is printed for what is right:",
    "",
    block(`sha256sum --quiet -c ${at(bundleFiles.sums)}`),
    "",
    "The digests and the manifest against their signatures (OpenSSL 3; each says `Signature Verified Successfully`):",
    "",
    block(verify(bundleFiles.sums, bundleFiles.signature), verify(bundleFiles.manifest, bundleFiles.manifestSignature)),
    "",
    `The root of the bundle, which \`${at(bundleFiles.manifest)}\` has as \`root\`:`,
    "",
    block(`sha256sum ${at(bundleFiles.sums)}`),
    "",
  ]
}

const origins: Readonly<Record<SignedBy["key"], (incident: string) => string>> = {
  ledger: () =>
    "It is the key of the project's ledger: compare with `keys` in the project's `configs/base/trust.yaml`, with `.dandori/keys/ledger.pub`, or with a checkpoint that was kept elsewhere.",
  incident: (incident) =>
    `The key of the project's ledger could not be used, so this one was made for the incident: compare with ${code(`incidents/${incident}/keys/bundle.pub`)} in the evacuation's records on the machine that was evacuated.`,
  bundle: () =>
    "It was made for this bundle alone, and its private half was not kept: whoever gave you the bundle has to tell you its id.",
}

const knowing = ({ manifest, own, signedBy }: Subject): ReadonlyArray<string> => {
  const key = `${own === "" ? "" : `${own}/`}${bundleFiles.key}`
  return [
    "## 4. Know the key",
    "",
    "A key that lies beside what it signed proves nothing by itself. Compare its id with one that you have from elsewhere:",
    "",
    block(`openssl pkey -pubin -in ${key} -outform DER | sha256sum`),
    "",
    `It has to be \`${signedBy.keyid}\`. ${origins[signedBy.key](manifest.incident)}`,
    "",
  ]
}

const missing = ({ manifest, own }: Subject): ReadonlyArray<string> => {
  const failed = manifest.collected.filter(({ outcome }) => outcome === "failed")
  const notTaken = manifest.notTaken.filter(({ noBytes }) => noBytes !== true)
  if (failed.length === 0 && notTaken.length === 0) return ["## What is missing", "", "Nothing that was seen.", ""]
  const because = ({ reason, source }: NotTaken) => `- ${code(source)}: ${code(reason)}`
  const more = notTaken.length - mostListed
  return [
    "## What is missing",
    "",
    "This bundle is **not complete**.",
    "",
    ...failed.map(({ collector, reason }) => `- all of ${code(collector)}: ${code(reason ?? "no reason was given")}`),
    ...notTaken.slice(0, mostListed).map(because),
    ...(more > 0
      ? [`- and ${more} more: \`notTaken\` in \`${own === "" ? "" : `${own}/`}${bundleFiles.manifest}\``]
      : []),
    "",
  ]
}

const beside = ({ location, manifest }: Subject): ReadonlyArray<string> => {
  if (manifest.beside === undefined) return []
  const what = manifest.bundle === "evidence" ? "What a recovery starts from" : "The evidence of the incident"
  const place = `${location === undefined ? "" : `${location.replace(/\/$/, "")}/`}${manifest.beside}`
  return ["## The other bundle", "", `${what} lies in ${code(place)}, with a README of its own.`, ""]
}

/** `README.md` of a bundle: how to fetch, unpack and check it with nothing but what every machine has. */
export const readmeOf = (subject: Subject): string => {
  const { manifest, own } = subject
  const { bundle, coverage, host, incident, of } = manifest
  const what =
    bundle === "evidence" ? `Evidence of the incident ${incident}` : `Snapshot for the recovery from ${incident}`
  const redacted =
    of === undefined
      ? []
      : ["", `It is a redacted copy of the bundle with the root \`${of.root}\`, signed by the key \`${of.keyid}\`.`]
  return [
    `# ${what}`,
    "",
    `Taken from ${code(host)}, evacuated since ${new Date(manifest.created).toISOString()}. ${coverage.taken} of ${coverage.seen} files and captures that were seen are here.`,
    `Who they belonged to, when they were last changed and where they lay is in \`${own === "" ? "" : `${own}/`}${bundleFiles.manifest}\`. You do not need Dandori to open or to check them.`,
    ...redacted,
    "",
    ...fetching(subject),
    ...unpacking(subject.tars),
    ...checking(subject),
    ...knowing(subject),
    ...missing(subject),
    ...beside(subject),
  ].join("\n")
}
