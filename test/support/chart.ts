import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert } from "@effect/vitest"
import * as Yaml from "yaml"
import * as Install from "./servers/install.ts"

/** The release of Kubernetes whose schemas what is rendered has to fit. */
const kubernetes = "1.37"

const repository = fileURLToPath(new URL("../..", import.meta.url))
const chart = join(repository, "deploy/helm/dandori")

/** An object of Kubernetes, as far as tests look at it. */
export type Manifest = { readonly kind: string; readonly [field: string]: any }

/** What a program said, and how it ended. */
interface Said {
  readonly code: number
  readonly out: string
}

/** Helm on the chart, and Kubernetes' own schemas for what comes out. */
export interface Helm {
  /** `helm template` with values: its text, or why it refuses. */
  readonly template: (values: object) => Said
  readonly lint: (values: object) => Said
  /** Helm with these words, in the repository. */
  readonly call: (...words: ReadonlyArray<string>) => Said
  /** What the schemas object to in manifests, none of whose fields may be unknown. Those of other makers are left out. */
  readonly objections: (manifests: ReadonlyArray<Manifest>) => string
  readonly close: () => void
}

/** The manifests in a text of `helm template`. */
const manifests = (text: string): ReadonlyArray<Manifest> =>
  Yaml.parseAllDocuments(text, { version: "1.1" }).flatMap((document) => {
    const value: Manifest | null = document.toJS()
    return value === null ? [] : [value]
  })

/** The manifests for these values, which have to be there. */
export const render = ({ template }: Helm, values: object): ReadonlyArray<Manifest> => {
  const { code, out } = template(values)
  assert.strictEqual(code, 0, out)
  return manifests(out)
}

/** The manifest of a kind. */
export const ofKind = (all: ReadonlyArray<Manifest>, kind: string): Manifest =>
  all.find((each) => each.kind === kind) ?? assert.fail(`no ${kind} is rendered`)

/** Builds Helm and gets the schemas where they are missing. */
export const open = async (): Promise<Helm> => {
  const [helm, python] = await Promise.all([
    Install.go("helm-3.22.0", "helm.sh/helm/v3/cmd/helm@v3.22.0", { large: true }),
    Install.python("kubernetes-validate-1.37.0", ["kubernetes-validate==1.37.0"]),
  ])
  const folder = Fs.mkdtempSync(join(tmpdir(), "dandori chart "))
  const path = (name: string) => join(folder, name)
  const run = (cwd: string, ...argv: ReadonlyArray<string>): Said => {
    // Helm reads settings of its user's, and none of them is to count.
    const env = { PATH: process.env.PATH ?? "", HOME: folder }
    const child = Bun.spawnSync([...argv], { cwd, env, stdout: "pipe", stderr: "pipe" })
    const [out, err] = [child.stdout.toString(), child.stderr.toString()]
    return { code: child.exitCode, out: child.exitCode === 0 ? out : `${out}${err}` }
  }
  const rendered = new Map<string, Said>()
  const onChart = (values: object, ...words: ReadonlyArray<string>) => {
    Fs.writeFileSync(path("values.yaml"), Yaml.stringify(values))
    return run(folder, helm, ...words, "--values", path("values.yaml"), "--kube-version", `${kubernetes}.0`)
  }
  return {
    template: (values) => {
      const key = JSON.stringify(values)
      const known = rendered.get(key) ?? onChart(values, "template", "night", chart, "--namespace", "ml")
      rendered.set(key, known)
      return known
    },
    call: (...words) => run(repository, helm, ...words),
    lint: (values) => onChart(values, "lint", "--strict", chart),
    objections: (all) => {
      const known = all.filter(({ apiVersion }) => !String(apiVersion).startsWith("monitoring.coreos.com/"))
      Fs.writeFileSync(path("rendered.yaml"), known.map((each) => Yaml.stringify(each)).join("---\n"))
      const words = ["-k", kubernetes, "--strict", "--quiet", path("rendered.yaml")]
      const { code, out } = run(folder, join(python, "kubernetes-validate"), ...words)
      return code === 0 ? out.trim() : out
    },
    close: () => Fs.rmSync(folder, { recursive: true, force: true }),
  }
}
