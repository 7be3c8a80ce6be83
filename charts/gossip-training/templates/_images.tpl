{{/* An image's reference of a dictionary: `image` with the values, `tag` where they name none, `root`. */}}
{{- define "gossip-training.image" -}}
{{- $registry := .image.registry | default .root.Values.imageRegistry -}}
{{- $repository := $registry | empty | ternary .image.repository (printf "%s/%s" (trimSuffix "/" $registry) .image.repository) -}}
{{- $tagged := printf "%s:%s" $repository (.image.tag | default .tag) -}}
{{- .image.digest | empty | ternary $tagged (printf "%s@%s" $tagged .image.digest) -}}
{{- end -}}

{{- define "gossip-training.operatorImage" -}}
{{- include "gossip-training.image" (dict "root" . "image" .Values.image "tag" .Chart.AppVersion) -}}
{{- end -}}

{{- define "gossip-training.trainerImage" -}}
{{- include "gossip-training.image" (dict "root" . "image" .Values.trainerImage "tag" (printf "%s-cpu" .Chart.AppVersion)) -}}
{{- end -}}
