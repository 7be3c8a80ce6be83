{{/* Names of objects. Nothing here is longer than Kubernetes allows, whatever the release is called. */}}

{{/* The objects' own name, at most 63 characters: one that a Service may have, so it begins with a letter. */}}
{{- define "gossip-training.name" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else -}}
{{- $release := .Release.Name | replace "." "-" -}}
{{- $name := contains .Chart.Name $release | ternary $release (printf "%s-%s" $release .Chart.Name) -}}
{{- regexMatch "^[0-9]" $name | ternary (printf "gossip-%s" $name) $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The name of what lies outside the release's namespace, where other releases have theirs too. */}}
{{- define "gossip-training.globalName" -}}
{{- printf "%s.%s" (include "gossip-training.name" .) .Release.Namespace -}}
{{- end -}}

{{- define "gossip-training.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "gossip-training.name" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* Where `helm test` trains: where the operator surely serves. */}}
{{- define "gossip-training.testNamespace" -}}
{{- first .Values.watchNamespaces | default .Release.Namespace -}}
{{- end -}}
