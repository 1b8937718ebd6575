{{/* The operator's settings by the names of controller/settings.py, without their prefix; every value is a text. */}}
{{- define "gsc.settings" -}}
NAMESPACES: {{ ternary "*" (include "gsc.watched" . | fromJsonArray | join ",") .Values.clusterWide | quote }}
ENVIRONMENT: {{ .Values.operator.environment | quote }}
INSTANCE: {{ .Release.Name | trunc 63 | trimSuffix "-" | quote }}
SYNC_IMAGE: {{ include "gsc.syncImage" . | quote }}
SYNC_IMAGE_PULL_POLICY: {{ default .Values.image.pullPolicy .Values.sync.image.pullPolicy | quote }}
SYNC_IMAGE_PULL_SECRETS: {{ include "gsc.pullSecrets" . | fromJsonArray | join "," | quote }}
SYNC_SERVICE_ACCOUNT: {{ include "gsc.syncServiceAccount" . | quote }}
SYNC_AMBIENT_CREDENTIALS: {{ .Values.sync.ambientCredentials | toString | quote }}
SYNC_IDENTITY_TOKEN_AUDIENCE: {{ .Values.sync.identityToken.audience | quote }}
SYNC_ENV: {{ .Values.sync.extraEnv | toJson | quote }}
SYNC_NODE_SELECTOR: {{ .Values.sync.nodeSelector | toJson | quote }}
SYNC_TOLERATIONS: {{ .Values.sync.tolerations | toJson | quote }}
SYNC_AFFINITY: {{ .Values.sync.affinity | toJson | quote }}
SYNC_TOPOLOGY_SPREAD_CONSTRAINTS: {{ .Values.sync.topologySpreadConstraints | toJson | quote }}
SYNC_PRIORITY_CLASS: {{ .Values.sync.priorityClassName | quote }}
SYNC_POD_LABELS: {{ .Values.sync.podLabels | toJson | quote }}
SYNC_POD_ANNOTATIONS: {{ .Values.sync.podAnnotations | toJson | quote }}
SYNC_RUN_AS_FIXED_USER: {{ .Values.runAsFixedUser | toString | quote }}
SYNC_CA_CONFIG_MAP: {{ .Values.sync.caBundle.configMap | quote }}
SYNC_CA_KEY: {{ .Values.sync.caBundle.key | quote }}
SYNC_CA_GOOGLE: {{ .Values.sync.caBundle.google | toString | quote }}
SYNC_CA_POSTGRES: {{ .Values.sync.caBundle.postgres | toString | quote }}
SYNC_DEFAULT_RESOURCES: {{ .Values.sync.defaultResources | toJson | quote }}
SYNC_MAX_RESOURCES: {{ .Values.sync.maxResources | toJson | quote }}
SYNC_CONCURRENCY: {{ .Values.sync.concurrency | toString | quote }}
SYNC_REQUESTS_PER_SECOND: {{ .Values.sync.requestsPerSecond | toString | quote }}
SYNC_REQUESTS_PER_SECOND_PER_IDENTITY: {{ .Values.sync.requestsPerSecondPerIdentity | toString | quote }}
SYNC_REQUESTS_PER_MINUTE_PER_PROJECT: {{ .Values.sync.requestsPerMinutePerProject | toString | quote }}
SYNC_LOAD_COOLDOWN_SECONDS: {{ .Values.sync.loadCooldownSeconds | toString | quote }}
KUEUE: {{ .Values.sync.kueue | toString | quote }}
LEADER_ELECTION: {{ .Values.operator.leaderElection | toString | quote }}
LEASE_NAME: {{ include "gsc.fullname" . | quote }}
LEASE_SECONDS: {{ .Values.operator.leaseSeconds | toString | quote }}
LEASE_RENEW_SECONDS: {{ .Values.operator.leaseRenewSeconds | toString | quote }}
LEASE_RETRY_SECONDS: {{ .Values.operator.leaseRetrySeconds | toString | quote }}
SWITCH_SECONDS: {{ .Values.operator.switchSeconds | toString | quote }}
START_RATE: {{ .Values.operator.startRate | toString | quote }}
MIN_INTERVAL_SECONDS: {{ .Values.operator.minIntervalSeconds | toString | quote }}
RESYNC_SECONDS: {{ .Values.operator.resyncSeconds | toString | quote }}
MAX_IN_FLIGHT: {{ .Values.operator.maxInFlight | toString | quote }}
REQUEST_TIMEOUT_SECONDS: {{ .Values.operator.requestTimeoutSeconds | toString | quote }}
MAX_SKEW_SECONDS: {{ .Values.operator.maxSkewSeconds | toString | quote }}
METRICS_PORT: {{ .Values.metrics.port | toString | quote }}
HEALTH_PORT: {{ .Values.health.port | toString | quote }}
LOG_LEVEL: {{ .Values.operator.logLevel | quote }}
{{- end -}}
