/** A server that a test or a bench needs is not on this machine and could not be installed; says in one line what to install. */
export class ServerMissing extends Error {
  override readonly name = "ServerMissing"
}
