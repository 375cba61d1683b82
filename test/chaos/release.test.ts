import * as Fs from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { campaign } from "../support/release-chaos.ts"
import * as Sample from "../support/sample-project.ts"

const crashes = Number(process.env.DANDORI_CHAOS_CRASHES ?? 6)
const seed = Number(process.env.DANDORI_CHAOS_SEED ?? Date.now() % 1_000_000)

describe("releases and rollbacks whose processes and servers are killed, stopped and started", () => {
  it("leave the old or the new model, whole, and lose nothing", { timeout: 240_000 + crashes * 20_000 }, async () => {
    const tally = await campaign({ crashes, seed })
    assert.deepStrictEqual(tally.faults, [], `seed ${seed}`)
    assert.isAtLeast(tally.total, crashes)
    assert.isAbove(tally.looks, 50)
    assert.isAbove(tally.found?.moves ?? 0, 0)
  })

  it("is a trial that finds what is broken", { timeout: 300_000 }, async () => {
    const tally = await campaign({
      crashes: 0,
      seed,
      steps: 1,
      spoil: async ({ chat, project, s3 }, watch) => {
        const { move, versions } = await watch.now()
        const folder = join(project.folder, versions[0]?.path ?? "")
        await Fs.chmod(join(folder, "theta.yaml"), 0o644)
        await Fs.appendFile(join(folder, "theta.yaml"), "# one more line\n")
        await watch.now()
        await watch.ask("UPDATE core.model_registry SET status = 'archived'")
        await s3.deleteObject({ Bucket: "models", Key: `releases/${move?.version}/metrics.json` })
        const records = join(project.home, "worm/model_publish")
        const [record] = (await Sample.filesBelow(records)).filter((name) => !name.startsWith("chain/"))
        await Fs.cp(join(records, record ?? ""), join(records, "another.json"))
        ;(chat.received as Array<unknown>).length = 0
      },
    })
    for (const wanted of [
      /theta\.yaml is not what is listed/,
      /commit \d+ .* are deployed \[\], the champion is 2/,
      /deployed are \[\], the last move is/,
      /metrics\.json is not what lies in/,
      /has 2 write-once records inFolder/,
      /nobody was told: .* \(tell\) to slack:#ml-ops/,
      /nobody was told: that move 1 made/,
      /dandori ledger verify --registry: 10/,
      /dandori worm verify: \d\d/,
    ]) {
      assert.match(tally.faults.join("\n"), wanted)
    }
  })
})
