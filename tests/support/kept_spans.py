"""The spans that the console keeps, as text: in its file they are compressed."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from telemetry.recent.keeping.span_codec import decode


def kept_spans(path: Path) -> str:
    with closing(sqlite3.connect(path)) as opened:
        bodies = opened.execute("SELECT body FROM trace_spans").fetchall()
    return "\n".join(json.dumps(decode(body), ensure_ascii=False) for (body,) in bodies)
