"""Secret redaction: one policy removes secrets from everything that leaves the process.

`policy` is applied at each output. `known_values` finds the secrets that this process was given, `patterns` what looks like
a secret. `sql_sanitizer` removes the literals from statements, `secret_sources` collects the process's secrets, `exporters`
wrap the exporters of spans and logs.
"""

from telemetry.redaction.policy import MAX_FOREIGN_TEXT, redact, redact_foreign_text
from telemetry.redaction.shortening import beginning

__all__ = ["MAX_FOREIGN_TEXT", "beginning", "redact", "redact_foreign_text"]
