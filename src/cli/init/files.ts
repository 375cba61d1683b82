import baseApprovals from "../../../configs/base/approvals.yaml" with { type: "text" }
import baseBacktestPolicy from "../../../configs/base/backtest_policy.yaml" with { type: "text" }
import baseCorePolicy from "../../../configs/base/core_policy.yaml" with { type: "text" }
import baseCostTable from "../../../configs/base/cost_table.yaml" with { type: "text" }
import baseDaemon from "../../../configs/base/daemon.yaml" with { type: "text" }
import baseDatabase from "../../../configs/base/database.yaml" with { type: "text" }
import baseDq from "../../../configs/base/dq.yaml" with { type: "text" }
import baseEvacuation from "../../../configs/base/evacuation.yaml" with { type: "text" }
import baseExporters from "../../../configs/base/exporters.yaml" with { type: "text" }
import baseLedger from "../../../configs/base/ledger.yaml" with { type: "text" }
import baseMessaging from "../../../configs/base/messaging.yaml" with { type: "text" }
import baseLimits from "../../../configs/base/limits.yaml" with { type: "text" }
import baseNotifications from "../../../configs/base/notifications.yaml" with { type: "text" }
import baseResources from "../../../configs/base/resources.yaml" with { type: "text" }
import baseRetention from "../../../configs/base/retention.yaml" with { type: "text" }
import baseSchedules from "../../../configs/base/schedules.yaml" with { type: "text" }
import baseStorage from "../../../configs/base/storage.yaml" with { type: "text" }
import baseTraining from "../../../configs/base/training.yaml" with { type: "text" }
import baseUniverse from "../../../configs/base/universe.yaml" with { type: "text" }
import envsDevApprovals from "../../../configs/envs/dev/approvals.yaml" with { type: "text" }
import envsDevBacktestPolicy from "../../../configs/envs/dev/backtest_policy.yaml" with { type: "text" }
import envsDevCostTable from "../../../configs/envs/dev/cost_table.yaml" with { type: "text" }
import envsDevDatabase from "../../../configs/envs/dev/database.yaml" with { type: "text" }
import envsDevMessaging from "../../../configs/envs/dev/messaging.yaml" with { type: "text" }
import envsDevNotifications from "../../../configs/envs/dev/notifications.yaml" with { type: "text" }
import envsProdRetention from "../../../configs/envs/prod/retention.yaml" with { type: "text" }
import envsProdStorage from "../../../configs/envs/prod/storage.yaml" with { type: "text" }
import envsStgStorage from "../../../configs/envs/stg/storage.yaml" with { type: "text" }
import retention from "../../../pipelines/retention.yaml" with { type: "text" }
import helloYaml from "./project/hello.yaml.txt" with { type: "text" }
import helloTs from "./project/hello-ts.ts.txt" with { type: "text" }
import greet from "./project/greet.ts.txt" with { type: "text" }
import greetTest from "./project/greet.test.ts.txt" with { type: "text" }
import settings from "./project/settings.json.txt" with { type: "text" }
import extensions from "./project/extensions.json.txt" with { type: "text" }
import tsconfig from "./project/tsconfig.json.txt" with { type: "text" }
import gitignore from "./project/gitignore.txt" with { type: "text" }
import readme from "./project/README.md.txt" with { type: "text" }

/** A file of a new project: its path in the project, and its text. */
export type ProjectFile = readonly [path: string, text: string]

/** What every new project has; the configuration is the one that ships. Part of the program, so that the binary has it. */
export const fixed: ReadonlyArray<ProjectFile> = [
  ["pipelines/hello.yaml", helloYaml],
  ["pipelines/hello-ts.ts", helloTs],
  ["pipelines/retention.yaml", retention],
  ["tasks/greet/index.ts", greet],
  ["tasks/greet/index.test.ts", greetTest],
  [".vscode/settings.json", settings],
  [".vscode/extensions.json", extensions],
  ["tsconfig.json", tsconfig],
  [".gitignore", gitignore],
  ["configs/base/approvals.yaml", baseApprovals],
  ["configs/base/backtest_policy.yaml", baseBacktestPolicy],
  ["configs/base/core_policy.yaml", baseCorePolicy],
  ["configs/base/cost_table.yaml", baseCostTable],
  ["configs/base/daemon.yaml", baseDaemon],
  ["configs/base/database.yaml", baseDatabase],
  ["configs/base/dq.yaml", baseDq],
  ["configs/base/evacuation.yaml", baseEvacuation],
  ["configs/base/exporters.yaml", baseExporters],
  ["configs/base/ledger.yaml", baseLedger],
  ["configs/base/messaging.yaml", baseMessaging],
  ["configs/base/limits.yaml", baseLimits],
  ["configs/base/notifications.yaml", baseNotifications],
  ["configs/base/resources.yaml", baseResources],
  ["configs/base/retention.yaml", baseRetention],
  ["configs/base/schedules.yaml", baseSchedules],
  ["configs/base/storage.yaml", baseStorage],
  ["configs/base/training.yaml", baseTraining],
  ["configs/base/universe.yaml", baseUniverse],
  ["configs/envs/dev/approvals.yaml", envsDevApprovals],
  ["configs/envs/dev/backtest_policy.yaml", envsDevBacktestPolicy],
  ["configs/envs/dev/cost_table.yaml", envsDevCostTable],
  ["configs/envs/dev/database.yaml", envsDevDatabase],
  ["configs/envs/dev/messaging.yaml", envsDevMessaging],
  ["configs/envs/dev/notifications.yaml", envsDevNotifications],
  ["configs/envs/prod/retention.yaml", envsProdRetention],
  ["configs/envs/prod/storage.yaml", envsProdStorage],
  ["configs/envs/stg/storage.yaml", envsStgStorage],
]

/** The README of a project: its name, where Dandori comes from, and how it is called. */
export const readmeOf = (words: { readonly name: string; readonly setup: string; readonly dandori: string }): string =>
  readme.replace(/\{\{(name|setup|dandori)\}\}/g, (_, word: keyof typeof words) => words[word])
