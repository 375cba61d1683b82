import * as Schema from "effect/Schema"

/** True for an http or https URL without a user or a password. */
export const isHttpUrl = (text: string): boolean => {
  if (!URL.canParse(text)) return false
  const { password, protocol, username } = new URL(text)
  return (protocol === "http:" || protocol === "https:") && username === "" && password === ""
}

/** A URL that requests go to. It is shown in messages, so it holds no secret. */
export const HttpUrl = Schema.String.check(
  Schema.makeFilter(
    (text) =>
      isHttpUrl(text) || "must be a URL like https://host/path, without a user or a password: those go into headers",
  ),
)
