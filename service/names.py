"""The words of the service's own signals: names of instruments, attributes and external services, each spelled once."""

from enum import StrEnum
from typing import Final

from telemetry.alerts import telegram

CONNECTIONS_REJECTED: Final = "http.server.connections.refused"


DRAFTED: Final = "drafted"
"""The outcome of advice that was drafted."""


WB: Final = "wb"
OZON: Final = "ozon"
OPENAI: Final = "openai"
TELEGRAM: Final = telegram.NAME
MARKETPLACES: Final = (WB, OZON)
RATE_LIMITED_SERVICES: Final = (WB, OZON, OPENAI)


DATABASE_STORE: Final = "database"
SPOOLS_STORE: Final = "spools"
LOGS_STORE: Final = "logs"
BACKUPS_STORE: Final = "backups"
STORES: Final = (DATABASE_STORE, SPOOLS_STORE, LOGS_STORE, BACKUPS_STORE)
"""What takes room on the disk, in the metrics of costs."""


SCHEDULER_COMPONENT: Final = "scheduler"
"""The component of alerts about jobs."""

SERVICE_COMPONENT: Final = "service"
"""The component of alerts about the service as a whole."""

COMPONENTS: Final = frozenset(
    {"alerts", "app", "database", "http", "resources", "sandbox", "telemetry", "workers"}
    | {SCHEDULER_COMPONENT, SERVICE_COMPONENT, *MARKETPLACES, OPENAI, TELEGRAM}
)
"""The components of the service's alerts. A log record at ERROR without one has the top package of its logger."""

MARKETPLACE: Final = "marketplace"
STATUS: Final = "status"
OUTCOME: Final = "outcome"
SOURCE: Final = "source"
RATING: Final = "rating"
RATINGS: Final = (0, 1, 2, 3, 4, 5)
REVIEWS: Final = "reviews"
ORDERS: Final = "orders"
REVIEWS_PROCESSED: Final = "reviews.processed"
ORDERS_PROCESSED: Final = "orders.processed"
ADVICE_GENERATED: Final = "advice.generated"
ADVICE_DRAFTS: Final = "advice.drafts"
DRAFT_CHECKS: Final = "draft.checks"
API_UNREADABLE: Final = "external.api.unreadable"
API_WAIT: Final = "external.api.wait"
TICKS_SKIPPED: Final = "scheduler.ticks.skipped"
JOB_SUSPENDED: Final = "scheduler.job.suspended"
RUNS_MISSED: Final = "scheduler.runs.missed"
RUNS_OVERDUE: Final = "scheduler.runs.overdue"
JOB_PAUSED: Final = "job.paused"
SOURCE_AGE: Final = "source.age"
INVALID_ROWS: Final = "source.invalid_rows"
ODD_ROWS: Final = "source.odd_rows"
REVIEWS_WAITING: Final = "reviews.waiting"
OLDEST_WAITING_AGE: Final = "reviews.waiting.oldest_age"
REVIEWS_WITHOUT_DRAFT: Final = "reviews.without_draft"
RATE_LIMITED_UNTIL: Final = "external.api.rate_limited_until"
CREDENTIAL_EXPIRY: Final = "external.api.credential_expiry"

# The words of OpenTelemetry's conventions for generative AI; the cost is the service's own.
TOKEN_USAGE: Final = "gen_ai.client.token.usage"  # noqa: S105  # tokens of text
MODEL_CALL_DURATION: Final = "gen_ai.client.operation.duration"
COST: Final = "gen_ai.client.cost"
GEN_AI_OPERATION: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER: Final = "gen_ai.provider.name"
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
GEN_AI_RESPONSE_ID: Final = "gen_ai.response.id"
GEN_AI_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
GEN_AI_MAX_TOKENS: Final = "gen_ai.request.max_tokens"  # tokens of text
GEN_AI_OUTPUT_TYPE: Final = "gen_ai.output.type"
OPENAI_API_TYPE: Final = "openai.api.type"
GEN_AI_CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
GEN_AI_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
GEN_AI_TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105  # tokens of text

# The outcomes of advice that was not drafted: of a `Draft`, or, the last two, of an error that is raised.
REFUSED: Final = "refused"
INCOMPLETE: Final = "incomplete"
FAILED: Final = "failed"
EMPTY: Final = "empty"
HTML: Final = "html"
BROKEN_JSON: Final = "broken_json"
UNSTRUCTURED: Final = "unstructured"
HELD: Final = "held"
QUOTA: Final = "quota"
ERROR: Final = "error"
OUTCOMES: Final = (
    DRAFTED,
    REFUSED,
    INCOMPLETE,
    FAILED,
    EMPTY,
    HTML,
    BROKEN_JSON,
    UNSTRUCTURED,
    HELD,
    QUOTA,
    ERROR,
)

# What a draft fails that is not fit to be published as it is.
LINK: Final = "link"
PHONE: Final = "phone"
EMAIL: Final = "email"
PROMISE: Final = "promise"
PERSONAL_DATA: Final = "personal_data"
PROMPT_LEAK: Final = "prompt_leak"
MARKUP: Final = "markup"
HIDDEN: Final = "hidden_characters"
LENGTH: Final = "length"
LANGUAGE: Final = "language"
PROFANITY: Final = "profanity"
CHECKS: Final = (
    LINK,
    PHONE,
    EMAIL,
    PROMISE,
    PERSONAL_DATA,
    PROMPT_LEAK,
    MARKUP,
    HIDDEN,
    LENGTH,
    LANGUAGE,
    PROFANITY,
)

# Why a call waits: for its slot of the rate limit, or because the last attempt failed.
RATE_LIMIT: Final = "pace"
BACKOFF: Final = "backoff"


class AlertSection(StrEnum):
    """For each kind of alert of the service the anchor of its section in docs/how-to/runbook.md."""

    ANSWER_REJECTED = "message-rejected-the-answer"
    CLOCK_SET = "message-the-clock-was-set"
    COST_BUDGET = "message-the-month-will-cost"
    CREDENTIAL_EXPIRES = "message-wb_api_token-or-ozon_api_key-expires"
    JOB_PAUSED = "message-has-been-paused-since"
    JOB_SWITCHED_OFF = "message-the-job-is-switched-off"
    NO_DRAFT = "message-no-draft-was-made"
    ROWS_INVALID = "message-rows-were-invalid"
    RUN_MISSED = "message-did-not-begin-within"
    RUN_OVERDUE = "message-has-been-running-for"
    SANDBOX = "message-the-sandbox-does-not-start"
    SCHEDULER_ABSENT = "message-no-scheduler-has-been-running"
    SCHEDULER_DOWNTIME = "message-the-scheduler-was-not-running"
    SOURCE_STALE = "message-source-is-stale"
    TEST_ALERT = "message-test-alert"
