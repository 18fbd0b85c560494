{{- define "tradewind.name" -}}
{{- if contains "tradewind" .Release.Name -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{- else -}}{{ printf "%s-tradewind" .Release.Name | trunc 50 | trimSuffix "-" }}{{- end -}}
{{- end }}

{{- define "tradewind.selector" -}}
app.kubernetes.io/name: tradewind
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tradewind.labels" -}}
{{ include "tradewind.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "tradewind.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "tradewind.name" .) "default" .Values.serviceAccount.create) -}}
{{- end }}

{{- define "tradewind.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* What the operator may do: each verb is one that its code uses. */ -}}
{{- define "tradewind.rules" -}}
- apiGroups: [tradewind.dev]
  resources: [dags, dagruns, pools{{ if not .Values.watchNamespaces }}, clusterpools{{ end }}]
  verbs: [get, list, watch]
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
  resources: [dags/status, pools/status{{ if not .Values.watchNamespaces }}, clusterpools/status{{ end }}]
  verbs: [patch]
- apiGroups: [tradewind.dev]
  resources: [dagruns] # concurrencyPolicy: Replace cancels runs, spec.history deletes them
  verbs: [patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, create, delete]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [get, create]
{{- end }}
