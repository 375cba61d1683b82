/** Secrets that are known by their own form, whatever stands around them. */

/**
 * A rule: what `pattern` matches is replaced, or its first group where it has one and `keep` does not refuse it. Without
 * one of the `hints`, in lower case and at least three characters long, a text holds nothing for the rule.
 */
export interface Rule {
  readonly name: string
  readonly hints: ReadonlyArray<string>
  readonly pattern: RegExp
  readonly keep?: (found: string) => boolean
}

const alone = String.raw`(?<![A-Za-z0-9])`
const end = String.raw`(?![A-Za-z0-9])`
const token = (text: string) => new RegExp(`${alone}(?:${text})${end}`, "g")

const isHex = (text: string) => /^[0-9a-f]+$/i.test(text)

/** Words that stand where a value could be. */
const named = /^(tokens?|auth\w*|schemes?|headers?|credentials?|values?|the|and|or|is|with|strings?|undefined|null)$/i
/** What refers to a secret, or hides it already. */
const stands = /^(\$[{(A-Z_]|<|\{\{|%[(s]|\[(redacted|secret) |[*•]+$|x{3,}$)/
const isWord = (text: string) => named.test(text) || stands.test(text)
/** No word of a text: it has a digit, or capitals inside. */
const isMixed = (text: string) => !isWord(text) && (/\d/.test(text) || (/.[A-Z]/.test(text) && /[a-z]/.test(text)))

/** Whether base64 is the `user:password` of RFC 7617. */
const isBasic = (text: string) => {
  const bytes = Buffer.from(text, "base64")
  return bytes.length > 2 && /^[^\p{C}:]*:\P{C}+$/u.test(bytes.toString("utf8"))
}

/** A password, or what looks like one: `host:8000/@me` and `image:tag@sha256:…` have none. */
const isNoPassword = (text: string) => text.startsWith("/") || /^\d{1,5}[/?#]/.test(text) || stands.test(text)

/**
 * The rules, in the order in which they are applied. Sources: AWS, "IAM identifiers" and "Signature Version 4"; GitHub,
 * "Behind GitHub's new authentication token formats" (2021); GitLab, "Token overview"; Slack, "Token types" and "Incoming
 * webhooks"; PyPI, "pypi-" macaroons of PyPI's token announcement (2019); npm, "new access token format" (2021);
 * Hugging Face, Google, Stripe, SendGrid, HashiCorp Vault, Databricks: the forms that gitleaks lists (config/gitleaks.toml);
 * PagerDuty, "Events API v2" (`routing_key`, 32 characters); RFC 7515 and 7516 (JWS, JWE); RFC 6750 and 7617 (Bearer,
 * Basic); RFC 3986, section 3.2.1 (passwords in URLs); RFC 6265 (cookies); Azure, "Create a service SAS" (`sig`).
 */
export const rules: ReadonlyArray<Rule> = [
  {
    name: "aws-secret-key",
    hints: ["akia", "asia"],
    pattern:
      /(?<=(?:AKIA|ASIA)[A-Z0-9]{16}[^A-Za-z0-9].{0,60}?)(?<![A-Za-z0-9/+])([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])/g,
    keep: isHex,
  },
  {
    name: "aws-access-key-id",
    hints: ["akia", "asia", "abia", "acca"],
    pattern: token("(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"),
  },
  {
    name: "aws-session-token",
    hints: ["fwogzxivyxdz", "iqojb3jpz2lux2vj"],
    pattern: /(?:FwoGZXIvYXdz|IQoJb3JpZ2luX2Vj)(?:[A-Za-z0-9+/=_-]|%2[BbFf]|%3[Dd]){40,}/g,
  },
  {
    name: "github-token",
    hints: ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
    pattern: token("gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}"),
  },
  {
    name: "gitlab-token",
    hints: [
      "glpat-",
      "gldt-",
      "glrt-",
      "glcbt-",
      "glptt-",
      "glft-",
      "glimt-",
      "glagent-",
      "gloas-",
      "glsoat-",
      "glffct-",
      "gr1348941",
    ],
    pattern: token(
      "(?:gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[A-Za-z0-9_.-]{19,}|GR1348941[A-Za-z0-9_-]{19,})[A-Za-z0-9_-]",
    ),
  },
  {
    name: "slack-token",
    hints: ["xox", "xapp-"],
    pattern: token(String.raw`(?:xoxe\.)?xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-\d-[A-Za-z0-9-]{10,}`),
  },
  {
    name: "slack-webhook",
    hints: ["hooks.slack"],
    pattern:
      /hooks\.slack(?:-gov)?\.com(?:\\?\/|%2[Ff])((?:services|workflows|triggers)(?:\\?\/|%2[Ff])[A-Za-z0-9+_%\\/-]{12,})/g,
  },
  { name: "pypi-token", hints: ["pypi-age"], pattern: token("pypi-AgE[A-Za-z0-9_-]{40,}") },
  { name: "npm-token", hints: ["npm_"], pattern: token("npm_[A-Za-z0-9]{36,}") },
  {
    name: "llm-token",
    hints: ["sk-"],
    pattern: token("sk-(?:(?:proj|svcacct|admin|ant|or)-[A-Za-z0-9_-]{19,}[A-Za-z0-9_-]|[A-Za-z0-9]{32,})"),
    keep: (found) => isHex(found.slice(3)) && found.length === 35,
  },
  { name: "hugging-face-token", hints: ["hf_", "api_org_"], pattern: token("(?:hf_|api_org_)[A-Za-z0-9]{34,}") },
  {
    name: "google-key",
    hints: ["aiza", "ya29."],
    pattern: token(String.raw`AIza[0-9A-Za-z_-]{35}|ya29\.[0-9A-Za-z_-]{20,}`),
  },
  {
    name: "stripe-key",
    hints: ["k_live_", "k_test_", "whsec_"],
    pattern: token("[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/]{24,}"),
  },
  { name: "sendgrid-key", hints: ["sg."], pattern: token(String.raw`SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}`) },
  { name: "vault-token", hints: ["hvs.", "hvb."], pattern: token(String.raw`hv[sb]\.[A-Za-z0-9_-]{24,}`) },
  { name: "databricks-token", hints: ["dapi"], pattern: token("dapi[0-9a-f]{32}(?:-[0-9])?") },
  {
    name: "pagerduty-key",
    hints: ["pagerduty", "routing", "integration", "service"],
    pattern:
      /(?:(?:routing|integration|service)[_-]?key|pager_?duty[\w.-]{0,64}(?:key|token|secret))\\*["'\]]*\s*(?:=>|[:=])\s*\\*["']?([A-Za-z0-9+_-]{20,64})(?![A-Za-z0-9+_-])/gi,
    keep: (found) => !isMixed(found) && !/^[a-z]{32}$/i.test(found),
  },
  {
    name: "jwt",
    hints: ["eyj"],
    pattern: /(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]+){0,2}/g,
  },
  {
    name: "authorization",
    hints: ["authorization"],
    pattern:
      /authorization\\*["']?\s*(?:=>|[:=,])\s*\\*["']?(?:AWS4-HMAC-SHA256|Digest|OAuth|Hawk)\s+([^"'\r\n\\]{8,})/gi,
  },
  {
    name: "authorization",
    hints: ["authorization"],
    pattern:
      /authorization\\*["']?\s*(?:=>|[:=,])\s*\\*["']?(?:Bearer|Basic|Token|Negotiate|NTLM|ApiKey|Api-Key|Key|Splunk|GenieKey|SharedKey|SSWS)\s+(?:token=\\*["']?)?([^\s"'\\,;]{4,})/gi,
    keep: isWord,
  },
  {
    name: "authorization",
    hints: ["authorization"],
    pattern: /authorization\\*["']?\s*(?:=>|[:=])\s*\\*["']?(?![\w-]+\s)([^\s"'\\,;]{6,})/gi,
    keep: (found) => isWord(found) || /^[\w.]+\(/.test(found) || !isMixed(found),
  },
  {
    name: "bearer",
    hints: ["bearer"],
    pattern: /(?<![A-Za-z0-9])bearer(?:\s+|%20|\+)([A-Za-z0-9._~+/=-]{12,})/gi,
    keep: (found) => !isMixed(found),
  },
  {
    name: "basic",
    hints: ["basic"],
    pattern: /(?<![A-Za-z0-9])basic(?:\s+|%20|\+)([A-Za-z0-9+/_-]{6,}={0,2})/gi,
    keep: (found) => !isBasic(found),
  },
  {
    name: "basic",
    hints: ["auth"],
    pattern: /\\*["']_?auth\\*["']\s*:\s*\\*["']([A-Za-z0-9+/]{6,}={0,2})\\*["']/gi,
    keep: (found) => !isBasic(found),
  },
  {
    name: "sql-password",
    hints: ["identified", "password"],
    pattern: /(?<![\w-])(?:identified\s+by|password)\s+(?:as\s+)?'([^']{2,256})'/gi,
    keep: (found) => stands.test(found),
  },
  {
    name: "url-password",
    hints: ["://", ":\\/\\/"],
    pattern:
      /(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+.-]{1,24}:(?:\/\/|\\\/\\\/)[^\s/?#:@"'<>`\\]{0,256}:((?:(?!:\/\/|:\\\/)[^\s"'<>`]){1,512})@(?!sha256:)/g,
    keep: isNoPassword,
  },
  {
    name: "url-signature",
    hints: ["signature", "security-token", "sig="],
    pattern:
      /(?<=[?&;\s"']|u0026)(?:X-(?:Amz|Goog)-(?:Signature|Security-Token)|Signature|sig)=([A-Za-z0-9%+/=_.~-]{16,})/gi,
  },
  {
    name: "cookie",
    hints: ["cookie"],
    pattern: /(?:set-)?cookie2?\\*["']?\s*(?:=>|[:=,])\s*\\*["']?([^\s=;,"'()\\]{1,256}=[^"'\r\n\\]{2,})/gi,
    keep: (found) => stands.test(found) || /^\w+=(=|>)/.test(found),
  },
  {
    name: "command-line-password",
    hints: ["mysql", "mariadb"],
    pattern: /(?<![\w-])(?:mysql|mariadb)[a-z_-]*(?=\s)[^|\r\n]{0,2000}?\s\\*["']?-p([^\s"'\\]+)/g,
    keep: (found) => stands.test(found),
  },
  {
    name: "command-line-password",
    hints: ["sshpass", "redis-cli", "docker", "podman", "curl", "wget", "openssl"],
    pattern:
      /(?<![\w-])(?:sshpass\s+-p\s*|redis-cli\s(?:[^|\r\n]{0,2000}?\s)?-a\s+|(?:docker|podman)\s+login\s(?:[^|\r\n]{0,2000}?\s)?-p\s+|(?:curl|wget)\s(?:[^|\r\n]{0,2000}?\s)?(?:-u|--user|--proxy-user|-U)[\s=]*["']?[^\s:"']+:|openssl\s(?:[^|\r\n]{0,2000}?\s)?-pass(?:in|out)?\s+pass:)\\*["']?([^\s"'\\]+)/g,
    keep: (found) => stands.test(found),
  },
  {
    name: "netrc-password",
    hints: ["machine", "login"],
    pattern: /(?<!\S)(?:machine|login)\s+\S+\s(?:.{0,1000}\s)?password\s+(\S+)/g,
  },
  {
    name: "xml-password",
    hints: ["password>", "passwd>", "secret>", "token>", "key>"],
    pattern: /<[\w:.-]{0,64}(?:password|passwd|secret|token|api-?key)>([^<\s][^<]{1,4096})<\//gi,
    keep: (found) => stands.test(found),
  },
]
