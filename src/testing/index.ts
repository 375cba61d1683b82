/** What tests of pipelines and task types import from `dandori/testing`. */
export { CastInvalid } from "./casting.ts"
export { type Fake, fake } from "./fake.ts"
export { GoldenDiffers, expectGolden, goldenLedger } from "./golden-ledger.ts"
export { OptionsRefused, type RunOptions, type TestRun, runPipeline } from "./run-pipeline.ts"
export { InputInvalid, OutputInvalid, type TaskOptions, testTask } from "./test-task.ts"
