// Installs what package.json and bun.lock name, on a machine with only Bun, or only Node.js and npm. Runs on either,
// before anything is installed, so it imports nothing but built-in modules.
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const wanted = manifest.dependencies.bun
const stamp = join(root, "node_modules", ".dandori-setup")
const digest = createHash("sha256")
  .update(readFileSync(join(root, "package.json")))
  .update(readFileSync(join(root, "bun.lock")))
  .digest("hex")

const say = (text) => process.stderr.write(`setup: ${text}\n`)

const run = (command, args) => {
  const { status, error, stderr } = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
  })
  if (error === undefined && status === 0) return
  say(`${command} ${args.join(" ")} failed: ${error?.message ?? stderr}`)
  process.exit(69)
}

const works = (bun) => existsSync(bun) && spawnSync(bun, ["--version"], { encoding: "utf8" }).stdout?.trim() === wanted

/** The Bun that installs: the one that runs this, an installed one, or one that npm fetches into `.cache/`. */
const bunFor = () => {
  if (process.versions.bun !== undefined) return process.execPath
  const installed = join(root, "node_modules", "bun", "bin", "bun.exe")
  if (works(installed)) return installed
  const folder = join(root, ".cache", "bun")
  const fetched = join(folder, "node_modules", "bun", "bin", "bun.exe")
  if (!works(fetched)) {
    say(`fetching Bun ${wanted} from npm`)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, "package.json"), '{ "private": true }\n')
    run("npm", ["install", "--prefix", folder, "--no-audit", "--no-fund", "--save-exact", `bun@${wanted}`])
    if (!works(fetched)) run(process.execPath, [join(folder, "node_modules", "bun", "install.js")])
  }
  return fetched
}

if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== digest) {
  const bun = bunFor()
  say("installing the packages of bun.lock")
  run(bun, ["install", "--frozen-lockfile"])
  const installed = join(root, "node_modules", "bun", "bin", "bun.exe")
  if (!works(installed)) run(bun, [join(root, "node_modules", "bun", "install.js")])
  if (!works(installed)) {
    say(`node_modules/bun is not Bun ${wanted} after the install; remove node_modules and run this again`)
    process.exit(69)
  }
  writeFileSync(stamp, digest)
}
