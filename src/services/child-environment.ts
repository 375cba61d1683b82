/** The environment of a child: PATH, HOME, LANG, TZ of ours where they are set, and what was declared for it. */
export const childEnvironment = (
  ours: Readonly<Record<string, string | undefined>>,
  declared: Readonly<Record<string, string>> = {},
): Record<string, string> => {
  const environment: Record<string, string> = { PATH: "/usr/local/bin:/usr/bin:/bin" }
  for (const name of ["PATH", "HOME", "LANG", "TZ"]) {
    const value = ours[name]
    if (value !== undefined && value !== "") environment[name] = value
  }
  return { ...environment, ...declared }
}
