/** Who says so, in every event and facet. */
export const producer = "https://dandori.dev/exporters/open-lineage/v1"

/** A facet of an OpenLineage event: what it says, who says so, and by which schema. */
export type Facet = { readonly _producer: string; readonly _schemaURL: string } & Readonly<Record<string, unknown>>

/** A facet by the name and the version of its schema (OpenLineage, spec/facets). */
export const facet = (schema: string, version: string, properties: Readonly<Record<string, unknown>>): Facet => ({
  _producer: producer,
  _schemaURL: `https://openlineage.io/spec/facets/${version}/${schema}.json#/$defs/${schema}`,
  ...properties,
})

/** Why a run or an attempt did not make it. */
export const errorMessage = (message: string): Facet =>
  facet("ErrorMessageRunFacet", "1-0-1", { message, programmingLanguage: "TypeScript" })

/** The nominal time of a run that a schedule started. */
export const nominalTime = (tick: number): Facet =>
  facet("NominalTimeRunFacet", "1-0-1", { nominalStartTime: new Date(tick).toISOString() })

/** The run that an attempt is part of. */
export const parent = (runId: string, namespace: string, name: string): Facet =>
  facet("ParentRunFacet", "1-2-0", { run: { runId }, job: { namespace, name } })

/** Where code is: bytes named by their SHA-256, as a `ni` URI (RFC 6920). `type` says what the bytes are. */
export const sourceCodeLocation = (type: string, sha256: string): Facet => {
  const url = `ni:///sha-256;${Buffer.from(sha256, "hex").toString("base64url")}`
  return facet("SourceCodeLocationJobFacet", "1-1-0", { type, url, version: sha256 })
}
