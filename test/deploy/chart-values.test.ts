import * as Fs from "node:fs"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Chart from "../support/chart.ts"

const hello = Fs.readFileSync(fileURLToPath(new URL("../../pipelines/hello.yaml", import.meta.url)), "utf8")

const files = {
  "pipelines/hello.yaml": hello,
  "pipelines/nights/monday.ts": 'export default "${{ not.helm }} {{ .Values }}"\n',
  "configs/base/ledger.yaml": "store: postgres\n",
  "tasks/greet/index.ts": "export {}\n",
}

let helm: Chart.Helm

const podOf = (values: object) => Chart.ofKind(Chart.render(helm, values), "StatefulSet").spec.template

beforeAll(async () => {
  helm = await Chart.open()
}, 900_000)
afterAll(() => helm?.close())

describe("a project in the chart's values", () => {
  /** What the container would find below /project. */
  const found = (values: object) => {
    const all = Chart.render(helm, values)
    const { data } = Chart.ofKind(all, "ConfigMap")
    const { containers, volumes } = Chart.ofKind(all, "StatefulSet").spec.template.spec
    return Object.fromEntries(
      volumes
        .filter(({ configMap }: any) => configMap?.name === Chart.ofKind(all, "ConfigMap").metadata.name)
        .flatMap(({ configMap, name }: any) => {
          const mounts = containers[0].volumeMounts.filter((each: any) => each.name === name)
          return configMap.items.map(({ key, path }: any) => {
            const [whole] = mounts.filter(({ subPath }: any) => subPath === undefined || subPath === path)
            return [whole.subPath === undefined ? `${whole.mountPath}/${path}` : whole.mountPath, data[key]]
          })
        }),
    )
  }

  it("arrives as it is: folders whole, a file of the configuration beside the image's", () => {
    const wanted = Object.fromEntries(Object.entries(files).map(([path, text]) => [`/project/${path}`, text]))
    assert.deepStrictEqual(found({ project: { files } }), wanted)
    const mounted: ReadonlyArray<string> = podOf({ project: { files } }).spec.containers[0].volumeMounts.map(
      (each: any) => each.mountPath,
    )
    assert.includeMembers([...mounted], ["/project/pipelines", "/project/tasks", "/project/configs/base/ledger.yaml"])
    for (const path of ["/project", "/project/configs", "/project/.dandori"]) assert.notInclude(mounted, path)
  })

  it("makes new pods for another configuration, and leaves another pipeline to the daemon", () => {
    const annotations = (changed: object) =>
      podOf({ project: { files: { ...files, ...changed } } }).metadata.annotations
    assert.deepStrictEqual(annotations({ "pipelines/hello.yaml": "" }), annotations({}))
    assert.notDeepEqual(annotations({ "configs/base/ledger.yaml": "" }), annotations({}))
  })
})

describe("values that make no sense", () => {
  const refused: ReadonlyArray<readonly [object, RegExp]> = [
    [{ replicas: 2 }, /replicas is 2 with state embedded: .*set replicas to 1, or state to postgres/],
    [
      { state: "postgres", replicas: 2 },
      /replicas is 2 without artifacts\.existingClaim: .*name a ReadWriteMany claim/,
    ],
    [{ podDisruptionBudget: { enabled: true } }, /podDisruptionBudget is enabled with one replica/],
    [{ serviceMonitor: { enabled: true } }, /the metrics ask for a token; name the Secret/],
    [{ extraEnv: [{ name: "SERVICE_ENV", value: "dev" }] }, /the variable SERVICE_ENV is set twice/],
    [{ replica: 2 }, /replica/],
    [{ env: "production" }, /env/],
    [{ state: "sqlite" }, /state/],
    [{ replicas: "3" }, /replicas/],
    [{ daemon: { shutdownGrace: "30s" } }, /shutdownGrace/],
    [{ image: { digest: "latest" } }, /digest/],
    [{ project: { files: { "../etc/passwd": "" } } }, /passwd/],
    [{ project: { files: { "pipelines/../x": "" } } }, /pipelines/],
    [{ project: { files: { "pipelines/a__b.yaml": "" } } }, /pipelines/],
    [{ secrets: { environment: [{ name: "POSTGRES_URL", value: "postgres://…" }] } }, /environment/],
    [{ home: { accessMode: "ReadWriteMany" } }, /accessMode/],
  ]
  for (const [values, reason] of refused) {
    it(`are refused: ${JSON.stringify(values)}`, () => {
      const { code, out } = helm.template(values)
      assert.notStrictEqual(code, 0)
      assert.match(out, reason)
    })
  }
})
