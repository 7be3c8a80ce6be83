{{/* A job that a laptop trains within seconds, of a dictionary with its `name` and the `root`. */}}
{{- define "gossip-training.tinyJob" -}}
apiVersion: gossip.training/v1alpha1
kind: GossipTrainingJob
metadata:
  name: {{ .name }}
spec:
  strategy:
    type: Gossip
  workers:
    replicas: 2
    {{- with .root.Values.imagePullSecrets }}
    template:
      spec:
        imagePullSecrets:
          {{- toYaml . | nindent 10 }}
    {{- end }}
  training:
    model: {name: mlp, args: {hidden: [16]}}
    data: {name: digits}
    batchSize: 16
    optimizer: {name: sgd, learningRate: 0.1}
    budget: {epochs: 1}
    seed: 1
{{- end -}}
