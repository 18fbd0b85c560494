{{- define "tradewind.name" -}}
{{- if .Values.fullnameOverride -}}{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains "tradewind" .Release.Name -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{- else -}}{{ printf "%s-tradewind" .Release.Name | trunc 50 | trimSuffix "-" }}{{- end -}}
{{- end }}

{{- define "tradewind.selector" -}}
app.kubernetes.io/name: tradewind
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* What all objects have beside the selector and the component. */ -}}
{{- define "tradewind.commonLabels" -}}
app.kubernetes.io/part-of: tradewind
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- range $name, $value := .Values.commonLabels }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "tradewind.labels" -}}
{{ include "tradewind.selector" . }}
app.kubernetes.io/component: operator
{{ include "tradewind.commonLabels" . }}
{{- end }}

{{- define "tradewind.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "tradewind.name" .) "default" .Values.serviceAccount.create) -}}
{{- end }}

{{- define "tradewind.image" -}}
{{ if not (regexMatch "^([^/]*[.:][^/]*|localhost)/" .Values.image.repository) }}{{ with .Values.image.registry }}{{ . }}/{{ end }}{{ end }}{{ .Values.image.repository }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- /* Whether the webhook is installed. Its configuration is cluster-wide: who installs an operator of some namespaces may not be allowed to. */ -}}
{{- define "tradewind.webhook.enabled" -}}
{{- if or (eq (toString .Values.webhook.enabled) "true") (and (eq (toString .Values.webhook.enabled) "auto") (not .Values.watchNamespaces)) -}}true{{- end -}}
{{- end }}

{{- /* Whether there are ValidatingAdmissionPolicies. They are cluster-wide: who installs an operator of some namespaces may not be allowed to. */ -}}
{{- define "tradewind.policies" -}}
{{- $known := and (.Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1") (semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version) -}}
{{- $wide := or (not .Values.watchNamespaces) (include "tradewind.webhook.enabled" .) -}}
{{- if or (eq (toString .Values.policies.enabled) "true") (and (eq (toString .Values.policies.enabled) "auto") $known $wide) -}}true{{- end -}}
{{- end }}

{{- /* What the operator may do: each verb is one that its code uses. */ -}}
{{- define "tradewind.rules" -}}
- apiGroups: [tradewind.dev]
  resources: [dags, dagruns, triggers, approvals]
  verbs: [get, list, watch]
- apiGroups: [tradewind.dev]
  resources: [backfills, pools{{ if not .Values.watchNamespaces }}, clusterpools{{ end }}]
  verbs: [list, watch]
- apiGroups: [tradewind.dev]
  resources: [tasktemplates, dagtemplates{{ if not .Values.watchNamespaces }}, clustertasktemplates, clusterdagtemplates{{ end }}]
  verbs: [get, list, watch]
- apiGroups: [tradewind.dev]
  resources: [tasktemplates/status, dagtemplates/status{{ if not .Values.watchNamespaces }}, clustertasktemplates/status, clusterdagtemplates/status{{ end }}]
  verbs: [patch]
- apiGroups: [tradewind.dev]
  resources: [dagruns/status]
  verbs: [update]
- apiGroups: [tradewind.dev]
  resources: [dags/status, triggers/status, backfills/status, pools/status{{ if not .Values.watchNamespaces }}, clusterpools/status{{ end }}]
  verbs: [patch]
- apiGroups: [tradewind.dev]
  resources: [dagruns] # triggers, backfills and sub-DAGs make them and cancel them; concurrencyPolicy: Replace cancels runs, spec.history deletes them
  verbs: [create, patch, delete]
- apiGroups: [tradewind.dev]
  resources: [approvals]
  verbs: [create]
- apiGroups: [tradewind.dev]
  resources: [approvals/status]
  verbs: [patch]
{{- if and .Values.http.readSecrets .Values.http.readSecretsIn }}{{ fail "http.readSecrets and http.readSecretsIn exclude each other" }}{{ end }}
{{- if or .Values.rbac.readConfigMaps .Values.http.readSecrets }}
- apiGroups: [""]
  resources: [configmaps{{ if .Values.http.readSecrets }}, secrets{{ end }}] # calendars{{ if .Values.http.readSecrets }}, and what http tasks refer to{{ end }}
  verbs: [get]
{{- end }}
- apiGroups: [""]
  resources: [pods] # get: a pod of which a watch says that it is gone is asked for by name
  verbs: [get, list, watch, create, delete]
{{- if not .Values.watchNamespaces }}
- apiGroups: [""]
  resources: [namespaces] # their labels decide who may claim a ClusterPool (spec.allow)
  verbs: [list, watch]
{{- end }}
- apiGroups: [""]
  resources: [events]
  verbs: [create]
- apiGroups: [apps]
  resources: [controllerrevisions] # specs of DAGs; their content can't be changed, a number given out twice is fixed
  verbs: [get, list, create, update, delete]
{{- with .Values.objectTriggers.rules }} # what triggers follow
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Where the pods of all Deployments may run, and as whom. */ -}}
{{- define "tradewind.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with (.Values.openshift | ternary (omit .Values.podSecurityContext "runAsUser" "runAsGroup") .Values.podSecurityContext) }}
securityContext: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* How replicas are spread; a dict of root and selector, the name of a template. */ -}}
{{- define "tradewind.spread" -}}
topologySpreadConstraints:
{{- if .root.Values.topologySpreadConstraints }}
{{- range .root.Values.topologySpreadConstraints }}
{{- $own := dict "labelSelector" (dict "matchLabels" (include $.selector $.root | fromYaml)) }}
  - {{- toYaml (merge (deepCopy .) $own) | nindent 4 }}
{{- end }}
{{- else }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include .selector .root | nindent 8 }}
{{- end }}
{{- end }}

{{- /* What all containers have. */ -}}
{{- define "tradewind.env" -}}
{{- if .Values.openshift }}
- {name: TRADEWIND_TASK_USER, value: ""}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "tradewind.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "tradewind.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "tradewind.logging" -}}
- --log-level={{ .Values.logLevel }}
- --log-format={{ .Values.logFormat }}
{{- end }}

{{- define "tradewind.endpoint" -}}
- port: http
  path: /metrics
  interval: {{ .Values.serviceMonitor.interval }}
  {{- with .Values.serviceMonitor.scrapeTimeout }}
  scrapeTimeout: {{ . }}
  {{- end }}
  {{- with .Values.serviceMonitor.relabelings }}
  relabelings: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.serviceMonitor.metricRelabelings }}
  metricRelabelings: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- /* To DNS and the API server. */ -}}
{{- define "tradewind.egress" -}}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
  {{- with .Values.networkPolicy.dnsTo }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
- ports:
    {{- range .Values.networkPolicy.apiServerPorts }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with .Values.networkPolicy.apiServerTo }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- /* From whom /metrics is asked for. Probes come from the node, which network plugins let through. */ -}}
{{- define "tradewind.ingress.metrics" -}}
- ports: [{port: http, protocol: TCP}]
  {{- with .Values.networkPolicy.metricsFrom }}
  from: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "tradewind.tls" -}}
- --tls-minimum={{ .Values.tls.minVersion }}
{{- with .Values.tls.ciphers }}
- --tls-ciphers={{ . }}
{{- end }}
{{- end }}

{{- define "tradewind.webhook" -}}
{{ include "tradewind.name" . }}-webhook
{{- end }}

{{- /* Its pods are none of the operator's: they have another name. */ -}}
{{- define "tradewind.webhook.selector" -}}
app.kubernetes.io/name: tradewind-webhook
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tradewind.webhook.labels" -}}
{{ include "tradewind.webhook.selector" . }}
app.kubernetes.io/component: webhook
{{ include "tradewind.commonLabels" . }}
{{- end }}

{{- define "tradewind.webhook.secret" -}}
{{- .Values.webhook.existingSecret | default (printf "%s-certificate" (include "tradewind.webhook" .)) -}}
{{- end }}

{{- /* How the API server calls it. */ -}}
{{- define "tradewind.webhook.hosts" -}}
- {{ include "tradewind.webhook" . }}.{{ .Release.Namespace }}.svc
- {{ include "tradewind.webhook" . }}.{{ .Release.Namespace }}.svc.cluster.local
{{- end }}

{{- define "tradewind.webhook.rules" -}}
- apiGroups: [tradewind.dev]
  # The DAG of a run, for its params, and what DAGs are made of.
  resources: [dags, tasktemplates, dagtemplates{{ if not .Values.watchNamespaces }}, clustertasktemplates, clusterdagtemplates{{ end }}]
  verbs: [get]
{{- if not .Values.watchNamespaces }}
- apiGroups: [tradewind.dev]
  resources: [clusterpools] # whom they allow
  verbs: [get]
- apiGroups: [""]
  resources: [namespaces] # whose labels a ClusterPool may ask for
  verbs: [get]
{{- end }}
{{- if .Values.webhook.dryRunPods }}
# To let the API server itself judge the pods that podTemplates make (dryRun=All, so that none is made). RBAC knows no right to a
# dry run alone: whoever holds this account's token could create pods. webhook.dryRunPods: false does without.
- apiGroups: [""]
  resources: [pods]
  verbs: [create]
{{- end }}
{{- end }}

{{- define "tradewind.webhook.namespaces" -}}
{{- with .Values.watchNamespaces -}}
namespaceSelector:
  matchExpressions:
    - {key: kubernetes.io/metadata.name, operator: In, values: {{ toJson . }}}
{{- end }}
{{- end }}

{{- define "tradewind.events" -}}
{{ include "tradewind.name" . }}-events
{{- end }}

{{- define "tradewind.events.selector" -}}
app.kubernetes.io/name: tradewind-events
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tradewind.events.labels" -}}
{{ include "tradewind.events.selector" . }}
app.kubernetes.io/component: events
{{ include "tradewind.commonLabels" . }}
{{- end }}

{{- define "tradewind.events.rules" -}}
- apiGroups: [tradewind.dev]
  resources: [dags] # for their params
  verbs: [get, list, watch]
- apiGroups: [tradewind.dev]
  resources: [triggers]
  verbs: [list, watch]
- apiGroups: [tradewind.dev]
  resources: [dagruns] # get: for senders who wait for the outcome
  verbs: [create, get]
{{- end }}

{{- define "tradewind.recorder" -}}
{{ include "tradewind.name" . }}-recorder
{{- end }}

{{- define "tradewind.recorder.selector" -}}
app.kubernetes.io/name: tradewind-recorder
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tradewind.recorder.labels" -}}
{{ include "tradewind.recorder.selector" . }}
app.kubernetes.io/component: recorder
{{ include "tradewind.commonLabels" . }}
{{- end }}

{{- define "tradewind.recorder.rules" -}}
- apiGroups: [tradewind.dev]
  resources: [dagruns]
  verbs: [list, watch]
- apiGroups: [apps]
  resources: [controllerrevisions] # the specs that runs used
  verbs: [get]
- apiGroups: [""]
  resources: [namespaces] # whose uid tells a namespace from a former one of its name
  verbs: [get]
{{- if .Values.recorder.logs.collect }}
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
{{- end }}
{{- end }}
