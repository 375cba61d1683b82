/** Exit codes of the command line, by what happened. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  changes: 2,
  weaker: 3,
  altered: 10,
  busy: 11,
  signature: 12,
  truncated: 13,
  partial: 14,
  untrusted: 15,
  waiting: 16,
  usage: 64,
  badData: 65,
  noInput: 66,
  unavailable: 69,
  internal: 70,
  cannotCreate: 73,
  io: 74,
  temporary: 75,
  noPermission: 77,
  config: 78,
  timedOut: 124,
  interrupted: 130,
  terminated: 143,
} as const

const byTag: Readonly<Record<string, number>> = {
  PipelineInvalid: exitCodes.badData,
  PipelineTooSlow: exitCodes.badData,
  ParamsInvalid: exitCodes.usage,
  ParamsTooLarge: exitCodes.usage,
  EnvironmentMissing: exitCodes.config,
  PipelineMissing: exitCodes.noInput,
  PipelineNotUtf8: exitCodes.badData,
  CompileChildFailed: exitCodes.badData,
  PipelineUnknown: exitCodes.noInput,
  ProjectNotFound: exitCodes.noInput,
  StreamMissing: exitCodes.noInput,
  StreamEnded: exitCodes.usage,
  StreamBusy: exitCodes.busy,
  LockBusy: exitCodes.busy,
  StreamDamaged: exitCodes.altered,
  LedgerLost: exitCodes.io,
  ArtifactError: exitCodes.io,
  FileFailed: exitCodes.io,
  ConfigInvalid: exitCodes.config,
  ResourcesMissing: exitCodes.config,
  TaskTypeMismatch: exitCodes.badData,
  TaskTypeBroken: exitCodes.badData,
  PathRefused: exitCodes.noPermission,
  RegistryUnavailable: exitCodes.unavailable,
  VersionUnknown: exitCodes.noInput,
  FilesPurged: exitCodes.noInput,
  HoldsUnavailable: exitCodes.unavailable,
  HoldUnknown: exitCodes.noInput,
  RunEnded: exitCodes.usage,
  NotUnknown: exitCodes.usage,
  GroupBusy: exitCodes.temporary,
  TurnLost: exitCodes.temporary,
  LeasesUnavailable: exitCodes.unavailable,
  BucketUntrusted: exitCodes.untrusted,
  CordonMissing: exitCodes.noInput,
  CordonTaken: exitCodes.usage,
  CordonFailed: exitCodes.unavailable,
  TakeoverRefused: exitCodes.usage,
  RequestRefused: exitCodes.noPermission,
  OutputRefused: exitCodes.badData,
  UsageError: exitCodes.usage,
  ObjectStoreError: exitCodes.io,
  EvidenceError: exitCodes.io,
  SqlError: exitCodes.unavailable,
  SignalsUnavailable: exitCodes.unavailable,
  FlagsUnreadable: exitCodes.badData,
  FlagsMoved: exitCodes.temporary,
  PairUnknown: exitCodes.usage,
  RestoreRefused: exitCodes.cannotCreate,
  ExportFailed: exitCodes.cannotCreate,
  SnapshotDamaged: exitCodes.altered,
  VersionRefused: exitCodes.usage,
  TrustInvalid: exitCodes.config,
  KeyUnreadable: exitCodes.badData,
  LedgerUnreadable: exitCodes.noInput,
}

/** An error and what it came of, the outermost first. */
const chain = (error: unknown, most = 10): ReadonlyArray<object> => {
  if (typeof error !== "object" || error === null || most === 0) return []
  const inner = "reason" in error && typeof error.reason === "object" ? error.reason : undefined
  return [error, ...chain(inner ?? ("cause" in error ? error.cause : undefined), most - 1)]
}

const unconfigured = new Set<unknown>(["SecretMissing", "S3Unconfigured"])

/** Whether something failed because a secret is not there: whatever was to be done with it, the configuration is to be mended. */
const lacksSecret = (error: unknown): boolean =>
  chain(error).some((each) => "_tag" in each && unconfigured.has(each._tag))

/** The exit code of an error: by what it came of, its own `exitCode`, its tag, the operating system's code; else an internal error. */
export const ofError = (error: unknown): number => {
  if (typeof error !== "object" || error === null) return exitCodes.internal
  if (lacksSecret(error)) return exitCodes.config
  if ("exitCode" in error && typeof error.exitCode === "number") return error.exitCode
  if ("code" in error && (error.code === "EACCES" || error.code === "EPERM" || error.code === "EROFS"))
    return exitCodes.noPermission
  return "_tag" in error && typeof error._tag === "string"
    ? (byTag[error._tag] ?? exitCodes.internal)
    : exitCodes.internal
}

/** The exit code of a run's status. */
export const ofRun = (status: string): number => {
  const codes: Readonly<Record<string, number>> = {
    succeeded: exitCodes.ok,
    warned: exitCodes.ok,
    waiting: exitCodes.waiting,
    cancelled: exitCodes.interrupted,
    timed_out: exitCodes.timedOut,
  }
  return codes[status] ?? exitCodes.failed
}
