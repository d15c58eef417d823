"""Redaction: what nobody may read is taken out of everything that leaves the process, by one policy.

`policy` says what is hidden and is asked at each way out; `known` finds the values of the secrets that this process has been
given, `shapes` finds what looks like one, `sql` takes the literals out of statements, `sources` says which secrets there are,
`export` stands before the exporters of spans and logs.
"""

from telemetry.redaction.policy import redact

__all__ = ["redact"]
