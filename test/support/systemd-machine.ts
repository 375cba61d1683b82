import * as Fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Install from "./servers/install.ts"
import * as Server from "./servers/server.ts"

const repository = fileURLToPath(new URL("../..", import.meta.url))

/** What a program in the machine said, and how it ended. */
interface Said {
  readonly code: number
  readonly out: string
}

/** systemd as the first process of namespaces of its own: its files lie over this machine's and go with it. */
export interface Machine {
  /** Runs a program in it, as root. */
  readonly call: (...argv: ReadonlyArray<string>) => Said
  /** Properties of the unit. */
  readonly show: (...properties: ReadonlyArray<string>) => Readonly<Record<string, string>>
  /** What the unit has said. */
  readonly said: () => string
  readonly close: () => Promise<void>
}

const hierarchies = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"]

const hierarchy = () =>
  hierarchies.find(
    (path) => Fs.existsSync(join(path, "cgroup.procs")) && Fs.existsSync(join(path, "cgroup.controllers")),
  )

/** Why systemd cannot be started here; undefined where it can. */
export const lacks = (): string | undefined => {
  if (process.getuid?.() !== 0) return "only root makes the namespaces that systemd starts in"
  if (!Fs.readFileSync("/proc/filesystems", "utf8").includes("\toverlay\n")) return "this kernel has no overlay"
  return hierarchy() === undefined ? "there is no cgroup of version 2" : undefined
}

/** Targets that the unit's order and its installation name, each with nothing in it. */
const targets = ["sysinit", "basic", "multi-user", "network-online", "time-sync", "shutdown"]

/** Everything is laid out below `$0/root`, and then there is nothing else. `$1` is the checkout. */
const enter = `set -e
  PATH="$PATH:/usr/sbin:/sbin"
  mount -t tmpfs -o mode=755 tmpfs "$0/over" && mkdir "$0/over/upper" "$0/over/work"
  mount -t overlay -o "lowerdir=/,upperdir=$0/over/upper,workdir=$0/over/work" overlay "$0/root"
  cd "$0/root"
  mount -t proc proc proc && mount -t sysfs -o ro sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup
  for each in run tmp srv opt var/lib var/cache; do mount -t tmpfs -o mode=755 tmpfs "$each"; done
  mount -t tmpfs -o mode=755 tmpfs dev && mkdir dev/pts dev/shm dev/mqueue && ln -s /proc/self/fd dev/fd
  for each in null zero full random urandom tty; do : > "dev/$each"; mount --bind "/dev/$each" "dev/$each"; done
  mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts && ln -s pts/ptmx dev/ptmx
  mount -t tmpfs tmpfs dev/shm && mount -t mqueue mqueue dev/mqueue
  mkdir opt/dandori run/old var/lib/private && mount --bind "$1" opt/dandori && cp -R "$0/files/." .
  chown -R root:root srv etc/dandori && chmod 1777 tmp
  sed -i '/^dandori:/d' etc/passwd etc/group && rm -rf etc/systemd/system etc/fstab etc/sysusers.d
  echo 'dandori:x:10001:10001::/var/lib/dandori:/usr/sbin/nologin' >> etc/passwd && echo 'dandori:x:10001:' >> etc/group
  ip link set lo up
  pivot_root . run/old && umount -l /run/old && mount --make-rshared /
  exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_UNIT_PATH=/usr/local/units \\
    /lib/systemd/systemd --system --unit=multi-user.target --log-target=console --show-status=no`

const emptied = (cgroup: string): void => {
  for (const entry of Fs.readdirSync(cgroup, { withFileTypes: true })) {
    if (entry.isDirectory()) emptied(join(cgroup, entry.name))
  }
  Fs.rmdirSync(cgroup)
}

/** Whether it holds soon; looked at ten times a second, for at most two minutes. */
export const holds = async (fact: () => boolean): Promise<boolean> => {
  for (let looks = 0; looks < 1_000; looks++) {
    if (fact()) return true
    await Bun.sleep(100)
  }
  return false
}

/** Starts systemd with the unit of `deploy/` and these files, by path without the first slash. */
export const open = async (files: Readonly<Record<string, string>>): Promise<Machine> => {
  await Install.debian("systemd", () => (Fs.existsSync("/lib/systemd/systemd") ? "/lib/systemd/systemd" : undefined))
  await Install.debian("iproute2", () => Bun.which("ip") ?? undefined)
  const folder = Fs.mkdtempSync(join(tmpdir(), "dandori machine "))
  const put = (path: string, text: string, mode = 0o644) => {
    Fs.mkdirSync(join(folder, "files", path, ".."), { recursive: true })
    Fs.writeFileSync(join(folder, "files", path), text, { mode })
  }
  for (const each of ["over", "root"]) Fs.mkdirSync(join(folder, each))
  for (const each of targets) put(`usr/local/units/${each}.target`, "[Unit]\nDefaultDependencies=no\n")
  put("usr/local/units/dandori.service", Fs.readFileSync(join(repository, "deploy/systemd/dandori.service"), "utf8"))
  put(
    "usr/local/units/dandori.service.d/said.conf",
    "[Service]\nStandardOutput=append:/run/said\nStandardError=append:/run/said\n",
  )
  const program = `#!/bin/sh\nexec /opt/dandori/node_modules/bun/bin/bun.exe --no-install /opt/dandori/src/cli/main.ts "$@"\n`
  put("usr/local/bin/dandori", program, 0o755)
  for (const [path, text] of Object.entries(files)) put(path, text)
  const cgroup = join(hierarchy() ?? "", `dandori-${process.pid}-${Date.now()}`)
  Fs.mkdirSync(cgroup)
  const script = `echo $$ > "$2/cgroup.procs"; exec unshare --kill-child -m -n -p -f -C -u -i --propagation private sh -c "$3" "$0" "$1"`
  const child = Bun.spawn([...Server.words(), "sh", "-c", script, folder, repository, cgroup, enter], {
    stdin: "ignore",
    stdout: Bun.file(join(folder, "console")),
    stderr: Bun.file(join(folder, "errors")),
  })
  /** The first process in the namespaces, seen from here. */
  const first = () => Fs.readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim()
  const call = (...argv: ReadonlyArray<string>): Said => {
    const enters = `nsenter -t ${first()} -m -n -p -C -u -i env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin`.split(" ")
    const done = Bun.spawnSync([...enters, ...argv], { stdout: "pipe", stderr: "pipe" })
    return { code: done.exitCode, out: `${done.stdout.toString()}${done.stderr.toString()}` }
  }
  const close = async () => {
    const pid = child.exitCode === null ? first() : ""
    if (pid !== "") process.kill(Number(pid), "SIGKILL")
    await child.exited
    emptied(cgroup)
    Fs.rmSync(folder, { recursive: true, force: true })
  }
  const isUp = await holds(
    () => child.exitCode !== null || call("systemctl", "is-active", "multi-user.target").code === 0,
  )
  if (!isUp || child.exitCode !== null) {
    const why = ["errors", "console"].map((name) => Fs.readFileSync(join(folder, name), "utf8")).join("")
    await close()
    throw new Error(`systemd did not start: ${why}`)
  }
  return {
    call,
    show: (...properties) => {
      const { out } = call("systemctl", "show", "dandori", ...properties.flatMap((each) => ["-p", each]))
      const pairs = out
        .trim()
        .split("\n")
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)])
      return Object.fromEntries(pairs)
    },
    said: () => call("cat", "/run/said").out,
    close,
  }
}
