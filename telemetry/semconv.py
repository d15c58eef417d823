"""The semantic conventions: the names of instruments and attributes, and their bounded values, each defined once.

Where OpenTelemetry's semantic conventions (1.4x) have a name, it is used. `telemetry.metrics.vocabulary` maps these names to
those of `/metrics`.
"""

from typing import Final

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"
"""The version of the conventions that the signals here keep: the newest one of opentelemetry-semantic-conventions 0.66."""

# Instruments -----------------------------------------------------------------------------------------------------
HTTP_SERVER_DURATION: Final = "http.server.request.duration"
HTTP_SERVER_ACTIVE: Final = "http.server.active_requests"
WEBSOCKET_DURATION: Final = "http.server.websocket.duration"
WEBSOCKET_ACTIVE: Final = "http.server.websocket.active_connections"
HTTP_CLIENT_DURATION: Final = "http.client.request.duration"
DB_OPERATION_DURATION: Final = "db.client.operation.duration"
DB_CONNECTION_COUNT: Final = "db.client.connection.count"
DB_CONNECTION_MAX: Final = "db.client.connection.max"
DB_CONNECTION_PENDING: Final = "db.client.connection.pending_requests"
DB_CONNECTION_TIMEOUTS: Final = "db.client.connection.timeouts"
JOB_RUNS: Final = "job.runs"
JOB_DURATION: Final = "job.duration"
JOB_ACTIVE: Final = "job.active"
JOB_LAST_SUCCESS: Final = "job.last_success"
JOB_LAST_FAILURE: Final = "job.last_failure"
JOB_RUNS_LOST: Final = "job.runs.lost"
JOB_RUNS_SKIPPED: Final = "job.runs.skipped"
ERRORS: Final = "app.errors"
WORKER_RESTARTS: Final = "worker.restarts"
APP_UPTIME: Final = "app.uptime"
APP_INFO: Final = "app.info"
FILESYSTEM_UTILIZATION: Final = "system.filesystem.utilization"
MEMORY_UTILIZATION: Final = "system.memory.utilization"
PROCESS_CPU_TIME: Final = "process.cpu.time"
PROCESS_MEMORY_USAGE: Final = "process.memory.usage"
PROCESS_MEMORY_VIRTUAL: Final = "process.memory.virtual"
PROCESS_THREADS: Final = "process.thread.count"
PROCESS_OPEN_FDS: Final = "process.unix.file_descriptor.count"
PROCESS_START_TIME: Final = "process.start_time"
COST_CPU_TIME: Final = "cost.cpu.time"
COST: Final = "cost"
GC_COLLECTIONS: Final = "cpython.gc.collections"
TELEMETRY_QUEUE_SIZE: Final = "telemetry.queue.size"
TELEMETRY_QUEUE_CAPACITY: Final = "telemetry.queue.capacity"
TELEMETRY_QUEUE_AGE: Final = "telemetry.queue.oldest_age"
TELEMETRY_DROPPED: Final = "telemetry.dropped"
LOG_DROPPED: Final = "telemetry.log.dropped"
LOG_LATE: Final = "telemetry.log.late"
TELEMETRY_OVERFLOW: Final = "telemetry.label_sets.overflow"
CALLBACK_TIMEOUTS: Final = "telemetry.callback.timeouts"
OTLP_REPLACED: Final = "telemetry.otlp.replaced"
PAGE_INCOMPLETE: Final = "telemetry.page.incomplete"
JOB_RECORDS: Final = "telemetry.job.records"
SPOOL_SIZE: Final = "telemetry.spool.size"
SPOOL_REFUSED: Final = "telemetry.spool.refused"
RECENT_SIZE: Final = "telemetry.recent.size"
RECENT_TRACES: Final = "telemetry.recent.traces"
RECENT_DROPPED: Final = "telemetry.recent.dropped"
ALERT_INCIDENTS: Final = "alert.incidents"
ALERT_OLDEST_PENDING_AGE: Final = "alert.oldest_pending_age"
ALERT_DELAY: Final = "alert.delivery.delay"
ALERT_NOTIFICATIONS: Final = "alert.sends"
ALERT_CHANNEL_UP: Final = "alert.channel.up"
TELEGRAM_UPDATES: Final = "telegram.updates"
ALERT_ACKNOWLEDGE: Final = "alert.acknowledge.duration"
ALERT_RESOLVE: Final = "alert.resolve.duration"

# Attributes ------------------------------------------------------------------------------------------------------
HTTP_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_STATUS_CODE: Final = "http.response.status_code"
WEBSOCKET_OUTCOME: Final = "websocket.outcome"
URL_SCHEME: Final = "url.scheme"
URL_PATH: Final = "url.path"
URL_FULL: Final = "url.full"
URL_TEMPLATE: Final = "url.template"
PEER_SERVICE: Final = "service.peer.name"
ERROR_TYPE: Final = "error.type"
DB_SYSTEM: Final = "db.system.name"
DB_NAMESPACE: Final = "db.namespace"
DB_OPERATION: Final = "db.operation.name"
DB_COLLECTION: Final = "db.collection.name"
DB_QUERY_SUMMARY: Final = "db.query.summary"
DB_QUERY_TEXT: Final = "db.query.text"
DB_BATCH_SIZE: Final = "db.operation.batch.size"
DB_STATUS_CODE: Final = "db.response.status_code"
DB_CONNECTION_STATE: Final = "db.client.connection.state"
DB_POOL_NAME: Final = "db.client.connection.pool.name"
SERVER_ADDRESS: Final = "server.address"
CLIENT_ADDRESS: Final = "client.address"
URL_QUERY: Final = "url.query"
HTTP_METHOD_ORIGINAL: Final = "http.request.method_original"
USER_AGENT: Final = "user_agent.original"
SERVER_PORT: Final = "server.port"
PROTOCOL_VERSION: Final = "network.protocol.version"
STATE: Final = "state"
NAME: Final = "name"
RESOURCE: Final = "resource"
COMPONENT: Final = "component"
QUEUE: Final = "queue"
REASON: Final = "reason"
KIND: Final = "kind"
INSTRUMENT: Final = "instrument"
FILESYSTEM_PATH: Final = "system.filesystem.path"
FILESYSTEM_STATE: Final = "system.filesystem.state"
MEMORY_STATE: Final = "system.memory.state"
CPU_MODE: Final = "cpu.mode"
GC_GENERATION: Final = "cpython.gc.generation"
VERSION: Final = "version"
ENVIRONMENT: Final = "environment"
DEPLOYMENT_ENVIRONMENT: Final = "deployment.environment.name"
METRIC_OVERFLOW: Final = "otel.metric.overflow"

JOB_NAME: Final = "job.name"
JOB_STATUS: Final = "job.status"
JOB_OUTCOME: Final = "job.outcome"
JOB_METADATA: Final = "job.metadata"
JOB_ERROR: Final = "job.error"
JOB_SCHEDULED_FOR: Final = "job.scheduled_for"
JOB_MAX_RUNTIME: Final = "job.max_runtime_seconds"
JOB_CPU_TIME: Final = "job.cpu_seconds"
JOB_COST: Final = "job.cost_usd"
JOB_RUN_STATE: Final = ("job", "run")
"""The trace state entry of the spans of a job run (W3C Trace Context)."""

ALERT_LEVEL: Final = "alert.level"
ALERT_CONDITION: Final = "alert.state"
ALERT_RESOLVED: Final = "alert.ended"
ALERT_REPORTED_ELSEWHERE: Final = "alert.elsewhere"
ALERT_LOCATION: Final = "alert.place"
ALERT_INHIBITED_BY: Final = "alert.follows"
ALERT_FACTS: Final = "alert.facts"
ALERT_RUN_ID: Final = "alert.run_id"
ALERT_SECTION: Final = "alert.section"
"""The section of the runbook: `telemetry.environment.runbook`."""
ALERT_FINGERPRINT: Final = "alert.fingerprint"
CHANNEL: Final = "channel"
RESULT: Final = "result"
MESSAGE_ID: Final = "messaging.message.id"

# Values ----------------------------------------------------------------------------------------------------------
KNOWN_METHODS: Final = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
OTHER_METHOD: Final = "_OTHER"
UNMATCHED: Final = "unmatched"
OTHER: Final = "other"
CLIENT_DISCONNECTED: Final = "client_disconnected"
"""The `error.type` of a request whose client left before it had the whole response; its status is 499."""
RESPONSE_INCOMPLETE: Final = "response_incomplete"
"""The `error.type` of a request whose response broke, or never began or ended; its status is 500."""

WEBSOCKET_CLOSED: Final = "closed"
WEBSOCKET_LOST: Final = "lost"
WEBSOCKET_REJECTED: Final = "rejected"
WEBSOCKET_FAILED: Final = "error"
WEBSOCKET_OUTCOMES: Final = (WEBSOCKET_CLOSED, WEBSOCKET_LOST, WEBSOCKET_REJECTED, WEBSOCKET_FAILED)

STATUS_RUNNING: Final = "running"
STATUS_SUCCESS: Final = "success"
STATUS_FAILED: Final = "failed"

OUTCOME_SUCCESS: Final = "success"
OUTCOME_ERROR: Final = "error"
OUTCOME_TIMEOUT: Final = "timeout"
OUTCOME_CANCELLED: Final = "cancelled"
OUTCOME_LOST: Final = "lost"
OUTCOME_SKIPPED: Final = "skipped"
"""The outcome of a run that could only wait. Its status is `success`, and no success rate counts it."""
OUTCOMES: Final = (
    OUTCOME_SUCCESS,
    OUTCOME_ERROR,
    OUTCOME_TIMEOUT,
    OUTCOME_CANCELLED,
    OUTCOME_LOST,
    OUTCOME_SKIPPED,
)

ALERT_STATES: Final = ("pending", "sent", "silenced", "inhibited")
JOB_RECORD_STATES: Final = ("received", "written", "dropped", "replayed")
SEND_RESULTS: Final = ("sent", "rate_limited", "rejected", "unknown", "failed")
TELEGRAM_UPDATE_KINDS: Final = ("command", "button")
TELEGRAM_UPDATE_RESULTS: Final = ("done", "refused", "ignored", "late", "failed")

RECENT_KINDS: Final = ("span", "log", "trace", "point")
RECENT_DROP_REASONS: Final = ("full", "rate", "size", "unfinished", "unwritable")
"""Why something is not remembered for the console: the queue was full; more came in a second than is encoded; the trace had
more lines than are kept of one; it did not end while there was room to wait; the file could not be written.
"""

WORKER_KILLED: Final = "killed"
WORKER_EXITED: Final = "exited"
WORKER_END_REASONS: Final = (WORKER_KILLED, WORKER_EXITED)

CONNECTION_IDLE: Final = "idle"
CONNECTION_USED: Final = "used"
QUERY_TYPES: Final = ("select", "insert", "update", "delete", "other")
DATABASE_COMPONENT: Final = "database"
