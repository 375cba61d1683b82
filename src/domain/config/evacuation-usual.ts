import type { EvacuationSection } from "./evacuation.ts"

/**
 * The evacuation of a project that says nothing of it, and of one whose configuration cannot be read any more: the same as
 * what ships in configs/base/evacuation.yaml.
 */
export const usual: EvacuationSection = {
  grace: "30s",
  parallel: 16,
  max_shrink: 0.2,
  layout: "objects",
  sealed: ".dandori/sealed",
  destinations: [],
  stop: [
    { name: "api", match: { argv: ["**", "*uvicorn", "**", "*api.app*", "**"], cwd: ".", port: 8000 } },
    { name: "training", match: { argv: ["*python*", "-u", "src/train.py", "**", "--mode", "full", "**"], cwd: "." } },
  ],
  collectors: [
    { name: "environment", kind: "machine", what: "environment", when: "volatile", value: 10 },
    { name: "processes", kind: "machine", what: "processes", when: "volatile", value: 11 },
    { name: "sockets", kind: "machine", what: "sockets", when: "volatile", value: 12 },
    { name: "open-files", kind: "machine", what: "open-files", when: "volatile", value: 13 },
    { name: "memory", kind: "machine", what: "memory", when: "volatile", value: 14 },
    { name: "disks", kind: "machine", what: "disks", when: "volatile", value: 15 },
    { name: "mounts", kind: "machine", what: "mounts", when: "volatile", value: 16 },
    { name: "kernel-log", kind: "machine", what: "kernel-log", when: "volatile", value: 17 },
    { name: "journal", kind: "machine", what: "journal", when: "volatile", value: 18 },
    { name: "cgroups", kind: "machine", what: "cgroups", when: "volatile", value: 19 },
    { name: "containers", kind: "machine", what: "containers", when: "volatile", value: 20 },
    { name: "gpu", kind: "machine", what: "gpu", when: "volatile", value: 21 },
    {
      name: "api-health",
      kind: "endpoint",
      url: "http://127.0.0.1:8000/health",
      when: "volatile",
      value: 22,
      time: "2s",
    },
    { name: "packages", kind: "machine", what: "packages", when: "durable", value: 30, time: "30s" },
    { name: "git", kind: "machine", what: "git", when: "durable", value: 31 },
    { name: "registry", kind: "machine", what: "registry", when: "durable", value: 32 },
    { name: "ledger-database", kind: "machine", what: "ledger-database", when: "durable", value: 33, time: "60s" },
    { name: "ledger", kind: "files", root: ".dandori/ledger", lines: true, to: "evidence", value: 40 },
    { name: "configs", kind: "files", root: "configs", to: "evidence", value: 41, redact: true },
    { name: "pipelines", kind: "files", root: "pipelines", to: "evidence", value: 42, redact: true },
    { name: "published", kind: "files", root: ".dandori/models", to: "snapshot", value: 50 },
    { name: "models", kind: "files", root: "models", globs: ["**/model_*.joblib"], to: "snapshot", value: 51 },
    {
      name: "artifacts",
      kind: "files",
      root: "artifacts",
      globs: ["**/summary_*.json", "**/cv_results_*.csv"],
      to: "snapshot",
      value: 52,
    },
    { name: "logs", kind: "files", root: "logs", globs: ["**/*.log"], to: "evidence", value: 60, redact: true },
  ],
  recover: [],
  redact: [],
  promises: { first_byte: "30s", complete: "15m", coverage: 1 },
}
