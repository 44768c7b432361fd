{{- define "headgate.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "headgate.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "headgate.labels" -}}
{{ include "headgate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "headgate.serviceAccount" -}}
{{- default (include "headgate.name" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "headgate.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- /* headgate.toml. [server] is made here, because the pod depends on it: port, directory, and how long it takes to stop. */ -}}
{{- define "headgate.toml" -}}
{{- if regexMatch "(?m)^[ \t]*\\[+[ \t]*server[ \t]*[.\\]]" .Values.config -}}
{{- fail "config: leave [server] out; the chart makes it of `server`, `stopping` and `redis`" -}}
{{- end -}}
[server]
listen = "0.0.0.0:8080"
data = "/data"
database = "${DATABASE_URL}"
{{- if .Values.redis.enabled }}
redis = "${REDIS_URL}"
# How many share Redis: each lets so large a part of every limit pass while Redis is away.
nodes = {{ if .Values.autoscaling.enabled }}{{ int .Values.autoscaling.maxReplicas }}{{ else }}{{ int .Values.replicas }}{{ end }}
{{- end }}
notice_time = "{{ int .Values.stopping.noticeSeconds }}s"
shutdown_time = "{{ int .Values.stopping.shutdownSeconds }}s"
{{- range $name, $value := .Values.server }}
{{- if has $name (list "listen" "data" "database" "redis" "nodes" "notice_time" "shutdown_time") }}
{{- fail (printf "server.%s: the chart says it itself" $name) }}
{{- end }}
{{ $name }} = {{ $value | toJson }}
{{- end }}

{{ .Values.config | trim }}
{{- end -}}

{{- define "headgate.pod" -}}
metadata:
  labels:
    {{- include "headgate.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # A changed configuration starts the gateways anew, one after another; [server] needs that.
    headgate/configuration: {{ include "headgate.toml" . | sha256sum | quote }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "headgate.serviceAccount" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  # Notice, requests under way, and the last records.
  terminationGracePeriodSeconds: {{ add (int .Values.stopping.noticeSeconds) (int .Values.stopping.shutdownSeconds) 20 }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: { type: RuntimeDefault }
  containers:
    - name: headgate
      image: {{ include "headgate.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [serve, --config, /etc/headgate/headgate.toml]
      {{- with .Values.secrets }}
      envFrom:
        {{- range . }}
        - secretRef: { name: {{ . | quote }} }
        {{- end }}
      {{- end }}
      {{- with .Values.env }}
      env:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - { name: http, containerPort: 8080 }
      # Ready once, with its database; then as long as it does not stop. It serves without its database, so that
      # an outage of the database must not take every gateway out of service.
      startupProbe:
        httpGet: { path: /readyz, port: http }
        periodSeconds: 1
        timeoutSeconds: 5
        failureThreshold: 300
      readinessProbe:
        httpGet: { path: "/readyz?exclude=database", port: http }
        periodSeconds: 3
        timeoutSeconds: 3
        failureThreshold: 2
      livenessProbe:
        httpGet: { path: /healthz, port: http }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      volumeMounts:
        - { name: config, mountPath: /etc/headgate, readOnly: true }
        - { name: journal, mountPath: /data }
        - { name: tmp, mountPath: /tmp }
  volumes:
    - name: config
      configMap: { name: {{ include "headgate.name" . }} }
    - name: tmp
      emptyDir: { sizeLimit: 64Mi }
    {{- if eq .Values.journal.kind "ephemeral" }}
    - name: journal
      emptyDir: { sizeLimit: {{ .Values.journal.size }} }
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- if .Values.topologySpreadConstraints }}
    {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "headgate.selector" . | nindent 10 }}
    {{- end }}
{{- end -}}
