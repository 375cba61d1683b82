/** What may go wrong with copies of databases, by the tags of the errors. */
export const databaseErrors = {
  DatabaseDiffers: "a restored database is not what was dumped",
  DatabaseNotEmpty: "the database that a dump is to be restored to is not empty",
  MemoryExceeded: "a program needed more memory than the task has",
  PostgresToolFailed: "pg_dump or pg_restore is not here, or failed",
  RedisCopyFailed: "the data of Redis could not be copied or loaded",
  RedisNotEmpty: "the Redis that a copy is to be put into has other keys",
  RedisUnreachable: "Redis cannot be reached",
  RegistryDiffers: "a restored registry is not what was copied",
  RegistryFileDamaged: "a file of the registry's copy cannot be read",
  RegistryNotEmpty: "the registry that a copy is to be put into has other versions",
  RegistryUnavailable: "the registry cannot be reached",
  SecretMissing: "a secret is not there",
  ServiceMissing: "the environment has no such database",
  SqlError: "the database did not answer",
} as const
