const mediaTypes: Readonly<Record<string, string>> = {
  csv: "text/csv",
  html: "text/html",
  json: "application/json",
  log: "text/plain",
  md: "text/markdown",
  ndjson: "application/x-ndjson",
  parquet: "application/vnd.apache.parquet",
  png: "image/png",
  svg: "image/svg+xml",
  txt: "text/plain",
  yaml: "application/yaml",
  yml: "application/yaml",
}

/** The media type that a file's extension tells, `application/octet-stream` where it tells none. */
export const mediaTypeOf = (file: string): string =>
  mediaTypes[file.slice(file.lastIndexOf(".") + 1).toLowerCase()] ?? "application/octet-stream"
