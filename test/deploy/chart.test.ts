import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Yaml from "yaml"
import { millisOf } from "../../src/domain/config/daemon.ts"
import * as Chart from "../support/chart.ts"

const repository = fileURLToPath(new URL("../..", import.meta.url))
const read = (path: string) => Fs.readFileSync(join(repository, path), "utf8")

const files = {
  "pipelines/hello.yaml": read("pipelines/hello.yaml"),
  "pipelines/nights/monday.ts": 'export default "${{ not.helm }} {{ .Values }}"\n',
  "configs/base/ledger.yaml": "store: postgres\n",
  "tasks/greet/index.ts": "export {}\n",
}

const several = { state: "postgres", replicas: 3, artifacts: { existingClaim: "artifacts" } }

/** All that can be said at once. */
const everything = {
  ...several,
  env: "stg",
  image: { repository: "registry.example.com/dandori", digest: `sha256:${"0".repeat(64)}` },
  imagePullSecrets: [{ name: "registry" }],
  project: { files },
  daemon: { shutdownGrace: 300, extraArgs: ["--quiet"] },
  secrets: {
    environment: [{ name: "POSTGRES_URL", secret: "database", key: "url" }],
    files: ["slack", "pagerduty"],
  },
  extraEnv: [{ name: "AWS_REGION", value: "eu-central-1" }],
  home: { size: "50Gi", storageClass: "fast", accessMode: "ReadWriteOncePod" },
  data: { existingClaim: "ml-assets", path: "/mnt/stg/ml-assets-core" },
  service: { type: "LoadBalancer", port: 80, annotations: { note: "internal" } },
  serviceAccount: { name: "ml", annotations: { note: "role" }, automountToken: true },
  startupTries: 120,
  podDisruptionBudget: { enabled: true },
  networkPolicy: {
    enabled: true,
    from: [{ podSelector: { matchLabels: { team: "ml" } } }],
    egress: [{ to: [{ ipBlock: { cidr: "10.0.0.0/8" } }] }],
  },
  serviceMonitor: {
    enabled: true,
    labels: { release: "prometheus" },
    authorization: { credentials: { name: "metrics", key: "token" } },
  },
  podLabels: { team: "ml" },
  podAnnotations: { note: "night" },
  priorityClassName: "high",
  nodeSelector: { disk: "ssd" },
  tolerations: [{ key: "ml", operator: "Exists" }],
  affinity: { podAntiAffinity: {} },
  extraVolumes: [{ name: "ca", configMap: { name: "ca" } }],
  extraVolumeMounts: [{ name: "ca", mountPath: "/etc/ca" }],
}

const sets: ReadonlyArray<readonly [string, object]> = [
  ["the usual values", {}],
  ["a project in the values", { project: { files } }],
  ["one replica on PostgreSQL", { state: "postgres" }],
  ["several replicas", several],
  ["closed to the network", { networkPolicy: { enabled: true } }],
  ["no account of its own", { serviceAccount: { create: false }, replicas: 0, nameOverride: "scheduler" }],
  ["everything", everything],
]

let helm: Chart.Helm

const render = (values: object) => Chart.render(helm, values)
const { ofKind } = Chart
const podOf = (values: object) => ofKind(render(values), "StatefulSet").spec.template
const containerOf = (values: object) => podOf(values).spec.containers[0]

beforeAll(async () => {
  helm = await Chart.open()
}, 900_000)
afterAll(() => helm?.close())

describe("the chart, with each set of values", () => {
  for (const [name, values] of sets) {
    it(`fits Kubernetes' schemas and passes Helm's lint: ${name}`, () => {
      const linted = helm.lint(values)
      assert.strictEqual(linted.code, 0, linted.out)
      assert.strictEqual(helm.objections(render(values)), "")
    })

    it(`gives no container a right that it needs not: ${name}`, () => {
      const { spec } = podOf(values)
      assert.deepInclude(spec.securityContext, { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } })
      const all = [...(spec.initContainers ?? []), ...spec.containers]
      for (const container of all) {
        assert.deepStrictEqual(container.securityContext, {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        })
        assert.property(container.resources.limits, "memory")
      }
    })

    it(`selects with each of its parts the pods that it makes, and no other release's: ${name}`, () => {
      const all = render(values)
      const { labels } = podOf(values).metadata
      const selectors = [
        ofKind(all, "StatefulSet").spec.selector.matchLabels,
        ofKind(all, "Service").spec.selector,
        ...all.filter(({ kind }) => kind === "PodDisruptionBudget").map(({ spec }) => spec.selector.matchLabels),
        ...all.filter(({ kind }) => kind === "NetworkPolicy").map(({ spec }) => spec.podSelector.matchLabels),
        ...all.filter(({ kind }) => kind === "ServiceMonitor").map(({ spec }) => spec.selector.matchLabels),
      ]
      for (const selector of selectors) {
        assert.propertyVal(selector, "app.kubernetes.io/instance", "night")
        assert.deepInclude(labels, selector)
      }
    })
  }

  it("is held to the schemas: a field that is unknown there is found", () => {
    const wrong = render({}).map((each) =>
      each.kind === "Service" ? { ...each, spec: { ...each.spec, prot: 1 } } : each,
    )
    assert.match(helm.objections(wrong), /prot/)
  })
})

describe("a pod of the chart", () => {
  it("calls the program as the image does, with its user, port and folders", () => {
    const dockerfile = read("deploy/Dockerfile")
    const { args, image, ports, volumeMounts, workingDir } = containerOf({})
    const { version } = JSON.parse(read("package.json"))
    assert.strictEqual(image, `dandori:${version}`)
    assert.include(dockerfile, `CMD ["${args.join('", "').replaceAll("=", '", "')}"]`)
    assert.include(dockerfile, `EXPOSE ${ports[0].containerPort}\n`)
    assert.include(dockerfile, `WORKDIR ${workingDir}\n`)
    const { runAsGroup, runAsUser } = podOf({}).spec.securityContext
    assert.include(dockerfile, `USER ${runAsUser}:${runAsGroup}\n`)
    const mounts = new Map(volumeMounts.map(({ mountPath, name }: any) => [name, mountPath]))
    assert.include(dockerfile, `VOLUME ${mounts.get("home")}\n`)
    assert.include(dockerfile, `XDG_CACHE_HOME=${mounts.get("cache")}\n`)
  })

  it("is told that it lives, is ready and has started by the daemon itself, addressed by a name that it answers to", () => {
    const { livenessProbe, readinessProbe, startupProbe } = containerOf(everything)
    const probes = [livenessProbe, readinessProbe, startupProbe]
    assert.deepStrictEqual(
      probes.map(({ httpGet }) => httpGet.path),
      ["/livez", "/readyz", "/livez"],
    )
    for (const { httpGet } of probes) {
      assert.strictEqual(httpGet.port, "http")
      assert.deepStrictEqual(httpGet.httpHeaders, [{ name: "Host", value: "localhost" }])
    }
    assert.isAtLeast(startupProbe.failureThreshold * startupProbe.periodSeconds, 600)
  })

  it("has more time to end than the daemon gives its attempts", () => {
    const grace = millisOf(Yaml.parse(read("configs/base/daemon.yaml")).shutdown_grace) / 1_000
    assert.isAbove(podOf({}).spec.terminationGracePeriodSeconds, grace)
    assert.strictEqual(podOf(everything).spec.terminationGracePeriodSeconds, 330)
  })

  it("refers to secrets and has none, and gets no token of Kubernetes unless it is asked for", () => {
    const { env, volumeMounts } = containerOf(everything)
    assert.deepInclude(env, {
      name: "POSTGRES_URL",
      valueFrom: { secretKeyRef: { name: "database", key: "url" } },
    })
    assert.deepInclude(volumeMounts, { name: "secret-slack", mountPath: "/run/secrets/slack", readOnly: true })
    assert.notInclude(
      render(everything).map(({ kind }) => kind),
      "Secret",
    )
    assert.isFalse(podOf({}).spec.automountServiceAccountToken)
  })
})

describe("the state of the chart's replicas", () => {
  it("is a volume of each one's own, which stays when the release goes", () => {
    for (const values of [{}, several]) {
      const { spec } = ofKind(render(values), "StatefulSet")
      assert.strictEqual(spec.volumeClaimTemplates[0].metadata.name, "home")
      assert.deepStrictEqual(spec.persistentVolumeClaimRetentionPolicy, { whenDeleted: "Retain", whenScaled: "Retain" })
    }
  })

  it("is checked to be shared before several run: by the configuration that the project really has", () => {
    const [init] = podOf(several).spec.initContainers
    const folder = Fs.mkdtempSync(join(tmpdir(), "dandori init "))
    const bin = join(folder, "bin")
    Fs.mkdirSync(bin)
    Fs.cpSync(join(repository, "configs"), join(folder, "configs"), { recursive: true })
    const program = `#!/bin/sh\nexec "${process.execPath}" "${join(repository, "src/cli/main.ts")}" "$@"\n`
    Fs.writeFileSync(join(bin, "dandori"), program, { mode: 0o755 })
    const check = (store: string) => {
      Fs.writeFileSync(join(folder, "configs/envs/prod/ledger.yaml"), `store: ${store}\n`)
      const env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, SERVICE_ENV: "prod" }
      const child = Bun.spawnSync(init.command, { cwd: folder, env })
      return { code: child.exitCode, err: child.stderr.toString() }
    }
    assert.deepStrictEqual(check("postgres"), { code: 0, err: "" })
    assert.deepStrictEqual(check("files"), {
      code: 78,
      err: "state is postgres, but ledger.yaml of env prod has no store: postgres\n",
    })
    Fs.rmSync(folder, { recursive: true })
    assert.notProperty(podOf({}).spec, "initContainers")
  })
})

describe("what the chart adds when it is told to", () => {
  it("is not there by itself", () => {
    assert.sameMembers(
      render({}).map(({ kind }) => kind),
      ["ServiceAccount", "Service", "StatefulSet"],
    )
  })

  it("is a network policy that lets in nobody but those who are named", () => {
    const of = (values: object) => ofKind(render({ networkPolicy: { enabled: true, ...values } }), "NetworkPolicy").spec
    assert.deepStrictEqual(of({}).ingress, [])
    assert.deepStrictEqual(of({}).egress, [{}])
    const { egress, ingress } = ofKind(render(everything), "NetworkPolicy").spec
    assert.deepStrictEqual(ingress, [
      { ports: [{ port: "http", protocol: "TCP" }], from: everything.networkPolicy.from },
    ])
    assert.deepStrictEqual(egress.slice(1), everything.networkPolicy.egress)
  })

  it("is a monitor that asks for the metrics where the Service has them", () => {
    const all = render(everything)
    const [endpoint] = ofKind(all, "ServiceMonitor").spec.endpoints
    assert.strictEqual(endpoint.path, "/metrics")
    assert.strictEqual(endpoint.port, ofKind(all, "Service").spec.ports[0].name)
  })
})
