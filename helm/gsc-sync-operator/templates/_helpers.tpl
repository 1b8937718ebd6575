{{- define "gsc.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "gsc.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "gsc.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "gsc.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The full name with a suffix, still at most 63 characters: dict "root" . "suffix" "sync". */}}
{{- define "gsc.suffixed" -}}
{{- $room := sub 62 (len .suffix) | int -}}
{{- printf "%s-%s" (include "gsc.fullname" .root | trunc $room | trimSuffix "-") .suffix -}}
{{- end -}}

{{- define "gsc.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{/* The namespaces served, as a JSON list; empty with clusterWide. */}}
{{- define "gsc.watched" -}}
{{- if .Values.clusterWide -}}
[]
{{- else -}}
{{- default (list (include "gsc.namespace" .)) .Values.watchNamespaces | uniq | toJson -}}
{{- end -}}
{{- end -}}

{{- define "gsc.selector" -}}
app.kubernetes.io/name: {{ include "gsc.name" . }}
app.kubernetes.io/instance: {{ .Release.Name | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/component: operator
{{- end -}}

{{/* Labels of every object but selectors. */}}
{{- define "gsc.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ include "gsc.name" . }}
app.kubernetes.io/instance: {{ .Release.Name | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: gsc-sync-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "gsc.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "gsc.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The account of the sync pods; empty means the default one of their namespace. */}}
{{- define "gsc.syncServiceAccount" -}}
{{- if .Values.sync.serviceAccount.name -}}
{{- .Values.sync.serviceAccount.name -}}
{{- else if and .Values.sync.serviceAccount.create (not .Values.clusterWide) -}}
{{- include "gsc.suffixed" (dict "root" . "suffix" "sync") -}}
{{- end -}}
{{- end -}}

{{/* The security context of the chart's own pods; without ids where the cluster gives them. */}}
{{- define "gsc.podSecurityContext" -}}
{{- if .Values.runAsFixedUser -}}
{{- toYaml .Values.podSecurityContext -}}
{{- else -}}
{{- omit .Values.podSecurityContext "runAsUser" "runAsGroup" "fsGroup" | toYaml -}}
{{- end -}}
{{- end -}}

{{/* An image reference: dict "root" . "image" IMAGE. A digest beats a tag. */}}
{{- define "gsc.image" -}}
{{- $registry := default .root.Values.global.imageRegistry .image.registry -}}
{{- $name := ternary (printf "%s/%s" $registry .image.repository) .image.repository (ne $registry "") -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $name .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .root.Chart.AppVersion .image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The sync's image: its own fields over those of `image`. A tag of its own is not beaten by the other's digest. */}}
{{- define "gsc.syncImage" -}}
{{- $image := deepCopy .Values.image -}}
{{- $own := .Values.sync.image -}}
{{- if or $own.tag $own.repository -}}
{{- $_ := set $image "digest" "" -}}
{{- end -}}
{{- range $key, $value := $own -}}
{{- if $value -}}
{{- $_ := set $image $key $value -}}
{{- end -}}
{{- end -}}
{{- include "gsc.image" (dict "root" . "image" $image) -}}
{{- end -}}

{{/* Names of pull Secrets, as a JSON list. */}}
{{- define "gsc.pullSecrets" -}}
{{- concat (default list .Values.global.imagePullSecrets) .Values.imagePullSecrets | uniq | toJson -}}
{{- end -}}

{{/* What the operator may do in a namespace it serves. */}}
{{- define "gsc.rules" -}}
- apiGroups: [gscsync.io]
  resources: [gscsyncschedules]
  verbs: [get, list, watch]
- apiGroups: [gscsync.io]
  resources: [gscsyncschedules/status]
  verbs: [patch]
# For owner references that block deletion, where the cluster enforces the permission; no finalizer is set.
- apiGroups: [gscsync.io]
  resources: [gscsyncschedules/finalizers]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
