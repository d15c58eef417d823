"""The words of the service's own signals: names of instruments, attributes and external services, each spelled once."""

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


SCHEDULER_COMPONENT: Final = "scheduler"
"""The component of alerts about jobs."""

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
API_WAIT: Final = "external.api.wait"
TICKS_SKIPPED: Final = "scheduler.ticks.skipped"
RUNS_MISSED: Final = "scheduler.runs.missed"
RUNS_OVERDUE: Final = "scheduler.runs.overdue"
JOB_PAUSED: Final = "job.paused"
SOURCE_AGE: Final = "source.age"
INVALID_ROWS: Final = "source.invalid_rows"
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
