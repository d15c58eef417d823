"""Secret redaction: one policy removes secrets from everything that leaves the process.

`policy` is applied at each output. `known_values` finds the secrets that this process was given, `patterns` what looks like
a secret. `sql_sanitizer` removes the literals from statements, `secret_sources` collects the process's secrets, `exporters`
wrap the exporters of spans and logs.
"""

from telemetry.redaction.policy import MAX_FOREIGN_TEXT, hide_url, redact, redact_foreign_text
from telemetry.redaction.shortening import beginning
from telemetry.redaction.shown_settings import harmless_or_hidden, redact_start_error

__all__ = [
    "MAX_FOREIGN_TEXT",
    "beginning",
    "harmless_or_hidden",
    "hide_url",
    "redact",
    "redact_foreign_text",
    "redact_start_error",
]
