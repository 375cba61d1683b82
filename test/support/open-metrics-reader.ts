import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Install from "./servers/install.ts"

/** A family as prometheus_client's strict reader of OpenMetrics has it. Values are as Python prints them, so that none is lost. */
export interface ReadFamily {
  readonly name: string
  readonly type: string
  readonly unit: string
  readonly help: string
  readonly samples: ReadonlyArray<readonly [name: string, labels: Readonly<Record<string, string>>, value: string]>
}

const reader = `
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read
for line in sys.stdin:
    try:
        families = [
            {"name": f.name, "type": f.type, "unit": f.unit, "help": f.documentation,
             "samples": [[s.name, s.labels, repr(float(s.value))] for s in f.samples]}
            for f in read(json.loads(line))]
        print(json.dumps(families))
    except Exception as problem:
        print(json.dumps(repr(problem)))
`

/** Reads texts by prometheus_client; what it refuses is its reason. */
export const read = (texts: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const bin = await Install.python("prometheus-client-0.26.0", ["prometheus-client==0.26.0"])
    const child = Bun.spawn([join(bin, "python"), "-c", reader], {
      stdin: Buffer.from(texts.map((text) => `${JSON.stringify(text)}\n`).join("")),
      stdout: "pipe",
      stderr: "inherit",
      env: { ...process.env, PYTHONUTF8: "1" },
    })
    const said = (await new Response(child.stdout).text()).trim().split("\n")
    return said.map((line) => JSON.parse(line) as ReadonlyArray<ReadFamily> | string)
  })
