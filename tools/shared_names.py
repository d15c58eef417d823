"""Names that several modules or classes share, each with its reason. Any other name stands for one thing only."""

from typing import Final

_INTEGRATIONS: Final = "each external service has a module of this name: one vocabulary"
_SANDBOX: Final = "each fake service of the sandbox has one of this name: one vocabulary"
_LISTS: Final = "one resource: its routes, its command, or its source at a marketplace"
_SERVICE_AND_TELEMETRY: Final = "the service's own, beside the telemetry's: the same idea for two packages"
_COMPOSITION: Final = "the composition of one signal's parts"

SHARED_NAMES: Final = {
    # Modules.
    "client": _INTEGRATIONS,
    "credentials": _INTEGRATIONS,
    "errors": _INTEGRATIONS,
    "fields": _INTEGRATIONS,
    "marketplace": _INTEGRATIONS,
    "orders": _LISTS,
    "reviews": _LISTS,
    "alerts": _LISTS,
    "jobs": _LISTS,
    "product_names": "where a product's name is looked up: at the marketplace, or in the reviews that are stored",
    "pagination": "the walk through the pages of an API: ours, Ozon's, and the fake one's",
    "fake": _SANDBOX,
    "limits": _SANDBOX,
    "products": _SANDBOX,
    "review_model": _SANDBOX,
    "review_routes": _SANDBOX,
    "review_texts": _SANDBOX,
    "database": _SERVICE_AND_TELEMETRY,
    "instruments": _SERVICE_AND_TELEMETRY,
    "settings": _SERVICE_AND_TELEMETRY,
    "shutdown": _SERVICE_AND_TELEMETRY,
    "tables": _SERVICE_AND_TELEMETRY,
    "options": "options of the telemetry, and of the sandbox's program",
    "maintenance": "periodic clean-up: the jobs of the service, and that of the outbox",
    "monitor": "`monitor_job` records a run; the run monitor looks for runs that are missing",
    "pipeline": _COMPOSITION,
    "setup": "configures a package when the process starts",
    "exporters": "OpenTelemetry exporters: the SDK's, and those that redact",
    "self_metrics": "metrics that a package emits about itself",
    "repository": "the rows of one domain",
    "sync": "the job, and the use case of each domain",
    "scheduler": "the command that runs the scheduler, and the scheduler",
    "queue": "a bounded queue: of runs in memory, of reviews in the database",
    "schema": "a schema of SQL, and one of JSON",
    "snapshot": "what was read at one moment: of an outbox, of a worker's metrics",
    "telegram": "the Bot API: the alerts' channel, and the check of the token",
    # Classes.
    "ApiError": _SANDBOX,
    "Change": _SANDBOX,
    "Product": _SANDBOX,
    "ReviewStore": _SANDBOX,
    "SimulatedReview": _SANDBOX,
    "UnansweredReviews": _INTEGRATIONS,
    "_BoundedStream": "a response that is read within bounds: for httpx, and for the httpx2 of OpenAI's SDK",
    "Answer": "an answer to a review, and the answer to an HTTP request",
    "__main__": "the entry point of a package that is run by `python -m`",
}
