"""Secret redaction: one policy removes secrets from everything that leaves the process.

`policy` is applied at each output. `known_values` finds the secrets that this process was given, `patterns` what looks like
a secret. `sql_sanitizer` removes the literals from statements, `secret_sources` collects the process's secrets, `exporters`
wrap the exporters of spans and logs.
"""

from telemetry.redaction.policy import redact

__all__ = ["redact"]
