import { spawnSync } from "node:child_process"
import { createSocket } from "node:dgram"
import * as Fs from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { MachineFact } from "../../../../src/domain/config/evacuation.ts"
import { address } from "../../../../src/services/evacuation/captures/sockets.ts"
import { machine, take } from "./capture-place.ts"
import * as Place from "../destination/place.ts"

/** What another program says of the machine; undefined, with a printed reason, where there is none. */
const said = (...argv: ReadonlyArray<string>): string | undefined => {
  const { error, status, stdout, stderr } = spawnSync(argv[0], argv.slice(1), {
    encoding: "utf8",
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
    maxBuffer: 1 << 28,
  })
  if (error === undefined && status === 0) return stdout
  process.stderr.write(`not compared with ${argv.join(" ")}: ${error?.message ?? stderr}\n`)
  return undefined
}
const linesOf = (text: string) => text.split("\n").filter((line) => line !== "")
const words = (line: string) => line.trim().split(/\s+/)

const captured = Effect.fnUntraced(function* (what: MachineFact) {
  const { outcomes, textOf } = yield* take(yield* Place.folder, { collectors: [machine(what)] })
  return { outcome: outcomes[0], text: textOf(what) ?? "" }
})

/** A program of the test that lives until the scope closes. */
const running = (argv: ReadonlyArray<string>, cwd: string) =>
  Effect.acquireRelease(
    Effect.sync(() => Bun.spawn([...argv], { cwd, stdio: ["ignore", "ignore", "ignore"], detached: true })),
    (child) =>
      Effect.promise(async () => {
        process.kill(-child.pid, "SIGKILL")
        await child.exited
      }),
  )

/** What two looks of another program have in common is what was there all the time between them. */
const steady = (before: string | undefined, after: string | undefined): ReadonlyArray<string> => {
  const still = new Set(linesOf(after ?? ""))
  return linesOf(before ?? "").filter((line) => still.has(line))
}

describe("the processes", () => {
  it.live(
    "are all there as ps has them, with where they run and what runs, and without the secrets of their commands",
    () =>
      Effect.gen(function* () {
        const folder = yield* Place.folder
        const child = yield* running(
          ["/bin/sh", "-c", "sleep 7654321; :", "x y", "--password", "planted-1", "--token=planted-2"],
          folder,
        )
        const look = () => said("ps", "-e", "-o", "pid=,ppid=,pgid=,sid=,user:32=")
        const before = look()
        const { text } = yield* captured("processes")
        const rows = linesOf(text).map((line) => line.split("\t"))
        for (const line of steady(before, look())) {
          const wanted = words(line)
          const found = rows.find(([pid]) => pid === wanted[0])
          assert.deepStrictEqual(found?.slice(0, 5), wanted, line)
        }
        const own = rows.find(([pid]) => pid === String(child.pid))
        assert.deepStrictEqual(own?.slice(0, 5), [
          String(child.pid),
          String(process.pid),
          String(child.pid),
          String(child.pid),
          said("id", "-un")?.trim(),
        ])
        assert.deepStrictEqual(own?.slice(9), [
          folder,
          Fs.realpathSync("/bin/sh"),
          '/bin/sh -c "sleep 7654321; :" "x y" --password [redacted named-secret] --token=[redacted named-secret]',
        ])
        const started = Date.parse(own?.[6] ?? "")
        assert.isBelow(Math.abs(Date.now() - started), 60_000)
        assert.notMatch(text, /planted-\d/)
        const self = rows.find(([pid]) => pid === String(process.pid))
        assert.isAbove(Number(self?.[7]), 0)
        assert.isAbove(Number(self?.[8]), 10_000)
      }),
  )

  it.live("that use the most CPU come again as ps aux has them", () =>
    Effect.gen(function* () {
      const { text } = yield* captured("processes")
      const [, top] = text.split("\n\n")
      const [title, header, ...rows] = linesOf(top)
      assert.match(title, /^# the 40 /)
      const count = linesOf(text.split("\n\n")[0]).length - 1
      assert.strictEqual(rows.length, Math.min(40, count))
      assert.deepStrictEqual(words(header), words(linesOf(said("ps", "aux") ?? header)[0]))
      const cpu = rows.map((row) => Number(words(row)[2]))
      assert.deepStrictEqual(
        cpu,
        cpu.toSorted((a, b) => b - a),
      )
    }),
  )
})

describe("the sockets", () => {
  const listening = (host: string) =>
    Effect.acquireRelease(
      Effect.promise(async () => {
        const server = createServer()
        await new Promise<void>((resolve) => server.listen(0, host, resolve))
        const at = server.address()
        return { server, port: typeof at === "object" && at !== null ? at.port : 0 }
      }),
      ({ server }) => Effect.promise(() => new Promise((resolve) => server.close(resolve))),
    )

  it.live("of this process are there, of every kind, with its number", () =>
    Effect.gen(function* () {
      const folder = yield* Place.folder
      const tcp = yield* listening("127.0.0.1")
      const tcp6 = yield* listening("::1")
      const udp = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const socket = createSocket("udp4")
          await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve))
          return socket
        }),
        (socket) => Effect.sync(() => socket.close()),
      )
      const path = join(folder, "with a blank.sock")
      yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const server = createServer()
          await new Promise<void>((resolve) => server.listen(path, resolve))
          return server
        }),
        (server) => Effect.promise(() => new Promise((resolve) => server.close(resolve))),
      )
      const look = () => said("ss", "-tlnH")
      const before = look()
      const { text } = yield* captured("sockets")
      const rows = linesOf(text).map((line) => line.split("\t"))
      const mine = rows.filter((row) => row[8]?.split(",").includes(String(process.pid)))
      const has = (protocol: string, state: string, local: string) =>
        assert.isTrue(
          mine.some((row) => row[0] === protocol && row[1] === state && row[2] === local),
          `${protocol} ${state} ${local} in\n${mine.map((row) => row.join(" ")).join("\n")}`,
        )
      has("tcp", "LISTEN", `127.0.0.1:${tcp.port}`)
      has("tcp6", "LISTEN", `[::1]:${tcp6.port}`)
      has("udp", "UNCONN", `127.0.0.1:${udp.address().port}`)
      has("unix/stream", "LISTEN", path)
      const locals = new Set(rows.filter((row) => row[1] === "LISTEN").map((row) => row[2]))
      for (const line of steady(before, look())) {
        const [, , , local] = words(line)
        const port = local.slice(local.lastIndexOf(":") + 1)
        const host = local
          .slice(0, -port.length - 1)
          .replace("*", "[::]")
          .replace(/%\w+$/, "")
        assert.isTrue(locals.has(`${host}:${port}`) || locals.has(`0.0.0.0:${port}`), local)
      }
    }),
  )

  it("have addresses as people write them", () => {
    assert.strictEqual(address("0100007F:1F90"), "127.0.0.1:8080")
    assert.strictEqual(address("00000000000000000000000000000000:0050"), "[::]:80")
    assert.strictEqual(address("B80D0120000000000000000001000000:01BB"), "[2001:db8::1]:443")
    assert.strictEqual(address("0000000000000000FFFF00000100007F:1F90"), "[::ffff:127.0.0.1]:8080")
  })
})

describe("the open files", () => {
  it.live("are told of each process, deleted ones too", () =>
    Effect.gen(function* () {
      const folder = yield* Place.folder
      const there = join(folder, "there")
      const gone = join(folder, "gone\nwith a line")
      yield* Effect.acquireRelease(
        Effect.sync(() => [there, gone].map((path) => Fs.openSync(path, "w"))),
        (fds) => Effect.sync(() => fds.forEach((fd) => Fs.closeSync(fd))),
      )
      Fs.rmSync(gone)
      const open = () =>
        Fs.readdirSync("/proc/self/fd").flatMap((fd) => {
          try {
            return [`${fd} ${Fs.readlinkSync(`/proc/self/fd/${fd}`)}`]
          } catch {
            // It was closed meanwhile: other threads work in this process.
            return []
          }
        })
      const before = open()
      const { text } = yield* captured("open-files")
      const rows = linesOf(text).map((line) => line.split("\t"))
      const mine = rows.filter(([pid]) => pid === String(process.pid))
      assert.isTrue(mine.some(([, , deleted, target]) => deleted === "-" && target === there))
      assert.isTrue(
        mine.some(
          ([, , deleted, target]) => deleted === "deleted" && target === `${gone.replace("\n", "\\n")} (deleted)`,
        ),
      )
      const found = new Set(mine.map(([, fd, , target]) => `${fd} ${target}`))
      const still = new Set(open())
      for (const each of before.filter((each) => still.has(each) && !each.includes("\n")))
        assert.isTrue(found.has(each), each)
    }),
  )
})

describe("the memory, the mounts, the disks and the kernel's log", () => {
  it.live("memory is what the kernel says", () =>
    Effect.gen(function* () {
      const { text } = yield* captured("memory")
      const total = /^MemTotal:.*$/m.exec(Fs.readFileSync("/proc/meminfo", "utf8"))?.[0] ?? "none"
      assert.include(text, `# /proc/meminfo\n${total}\n`)
      const free = said("free", "-k")
      if (free !== undefined) assert.include(total, /^Mem:\s+(\d+)/m.exec(free)?.[1] ?? "none")
      for (const file of ["/proc/vmstat", "/proc/loadavg"]) assert.include(text, `# ${file}\n`)
    }),
  )

  it.live("mounts are those of this process", () =>
    Effect.gen(function* () {
      const look = () => Fs.readFileSync("/proc/self/mountinfo", "utf8")
      const before = look()
      const [title, ...lines] = linesOf((yield* captured("mounts")).text)
      assert.strictEqual(title, "# /proc/self/mountinfo")
      const found = new Set(lines)
      // Others mount and unmount meanwhile.
      const wanted = steady(before, look())
      assert.isAbove(wanted.length, 0)
      for (const line of wanted) assert.isTrue(found.has(line), line)
    }),
  )

  it.live("disks have the size and the inodes that df says", () =>
    Effect.gen(function* () {
      /** Device, size and mount point of each line of df, which may have blanks; what is used changes meanwhile. */
      const look = (option: string) =>
        linesOf(said("df", option) ?? "")
          .slice(1)
          .flatMap((line) => {
            const found = /^(\S+)\s+(\d+|-)\s+\S+\s+\S+\s+\S+\s+(\/.*)$/.exec(line)
            return found === null ? [] : [`${found[1]}\t${found[2]}\t${found[3]}`]
          })
          .join("\n")
      const before = [look("-Pk"), look("-Pi")]
      const { text } = yield* captured("disks")
      const rows = linesOf(text).map((line) => line.split("\t"))
      const plain = (text = "") => (text.startsWith('"') ? String(JSON.parse(text)) : text)
      const sizes = new Set(rows.map((row) => `${row[0]}\t${row[2]}\t${plain(row[9])}`))
      const inodes = new Set(rows.map((row) => `${row[0]}\t${row[6]}\t${plain(row[9])}`))
      const wanted = steady(before[0], look("-Pk"))
      assert.isAbove(wanted.length, 0)
      for (const line of wanted) assert.isTrue(sizes.has(line), line)
      for (const line of steady(before[1], look("-Pi"))) assert.isTrue(inodes.has(line) || /\t[-0]\t/.test(line), line)
    }),
  )

  it.live("the kernel's log ends as dmesg ends, or is left out with the reason", () =>
    Effect.gen(function* () {
      const before = said("dmesg")
      const { outcome, text } = yield* captured("kernel-log")
      if (before === undefined || before.trim() === "") {
        assert.strictEqual(outcome.outcome, "skipped")
        assert.match(outcome.reason ?? "", /kmsg/)
        return
      }
      const lines = linesOf(text)
      assert.isAtMost(lines.length, 200)
      const textOf = (line: string) => line.replace(/^(<\d+>)?\[\s*[\d.]+\] /, "")
      const last = textOf(linesOf(before).at(-1) ?? "")
      assert.isTrue(
        lines.slice(-20).some((line) => textOf(line) === last),
        last,
      )
    }),
  )

  it.live("the journal is taken where there is one, and else left out with the reason", () =>
    Effect.gen(function* () {
      const entries = said("journalctl", "--no-pager", "-q", "-n", "1", "-o", "short-iso") ?? ""
      const { outcome, text } = yield* captured("journal")
      if (entries.trim() === "") {
        assert.strictEqual(outcome.outcome, "skipped")
        assert.match(outcome.reason ?? "", /no journal|journalctl cannot be run/)
      } else assert.include(text, linesOf(entries)[0])
    }),
  )

  it.live("the groups of the kernel have this process among them", () =>
    Effect.gen(function* () {
      const { outcome, text } = yield* captured("cgroups")
      if (outcome.outcome === "skipped") return assert.match(outcome.reason ?? "", /no \/sys\/fs\/cgroup/)
      assert.include(text, `# /proc/self/cgroup\n${Fs.readFileSync("/proc/self/cgroup", "utf8")}`)
      const procs = linesOf(text).filter((line) => line.startsWith("cgroup.procs "))
      assert.isTrue(procs.some((line) => words(line).includes(String(process.pid))))
    }),
  )
})
