{{/* Labels. By the name and the component others know the operator: jobs' network policies, for example. */}}

{{- define "gossip-training.selector" -}}
app.kubernetes.io/name: gossip-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{/* Labels of all objects; `component` is what an object belongs to. */}}
{{- define "gossip-training.labels" -}}
{{- $own := dict
  "app.kubernetes.io/name" "gossip-operator"
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/version" (.Chart.AppVersion | replace "+" "_")
  "app.kubernetes.io/part-of" "gossip-training"
  "app.kubernetes.io/managed-by" .Release.Service
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
-}}
{{- merge $own .Values.commonLabels | toYaml -}}
{{- end -}}
