{{/* Names are cut to 63 characters, of which a StatefulSet's pods need some. */}}
{{- define "dandori.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "dandori.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "dandori.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "dandori.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "dandori.selector" -}}
app.kubernetes.io/name: {{ include "dandori.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "dandori.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "dandori.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "dandori.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "dandori.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "dandori.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A path as a key of a ConfigMap, which takes no slash. */}}
{{- define "dandori.key" -}}
{{- . | replace "/" "__" -}}
{{- end -}}

{{/* The folders of the project that the values have files of. */}}
{{- define "dandori.folders" -}}
{{- $folders := list -}}
{{- range $path, $text := .Values.project.files -}}
{{- $folders = append $folders (splitList "/" $path | first) -}}
{{- end -}}
{{- $folders | uniq | toJson -}}
{{- end -}}

{{/*
/project/.dandori, the link to the home, is the image's. Folders are mounted whole, which a changed pipeline shows in; of the
configuration each file by itself, over the image's.
*/}}
{{- define "dandori.projectMounts" -}}
{{- range include "dandori.folders" . | fromJsonArray }}
{{- if ne . "configs" }}
- { name: project-{{ . }}, mountPath: /project/{{ . }}, readOnly: true }
{{- end }}
{{- end }}
{{- range $path, $text := .Values.project.files }}
{{- if hasPrefix "configs/" $path }}
- { name: project-configs, mountPath: /project/{{ $path }}, subPath: {{ trimPrefix "configs/" $path }}, readOnly: true }
{{- end }}
{{- end }}
{{- end -}}

{{- define "dandori.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/* Addressed by a name that the daemon always knows. */}}
{{- define "dandori.probe" -}}
httpGet:
  path: {{ . }}
  port: http
  httpHeaders: [{ name: Host, value: localhost }]
{{- end -}}

{{/* Values that cannot work together. */}}
{{- define "dandori.check" -}}
{{- $replicas := int .Values.replicas -}}
{{- if and (eq .Values.state "embedded") (gt $replicas 1) -}}
{{- fail (printf "replicas is %d with state embedded: files and SQLite have one daemon; set replicas to 1, or state to postgres" $replicas) -}}
{{- end -}}
{{- if and (gt $replicas 1) (not .Values.artifacts.existingClaim) -}}
{{- fail (printf "replicas is %d without artifacts.existingClaim: a replica could not take up what another has begun; name a ReadWriteMany claim" $replicas) -}}
{{- end -}}
{{- if and .Values.podDisruptionBudget.enabled (lt $replicas 2) -}}
{{- fail "podDisruptionBudget is enabled with one replica: it would be idle, or keep nodes from being drained; disable it, or set replicas to 2 or more" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not (dig "credentials" "name" "" .Values.serviceMonitor.authorization)) -}}
{{- fail "serviceMonitor is enabled without authorization.credentials: the metrics ask for a token; name the Secret that has one of the role viewer" -}}
{{- end -}}
{{- $names := list "SERVICE_ENV" -}}
{{- range concat .Values.secrets.environment .Values.extraEnv -}}
{{- if has .name $names -}}
{{- fail (printf "the variable %s is set twice; secrets.environment and extraEnv have other names, and none of the chart's own" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- end -}}
