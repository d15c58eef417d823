"""Makes the HTML of a page from its template."""

import gzip
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from telemetry.console import static_files, words
from telemetry.console.plots import chart, sparkline, waterfall
from telemetry.console.response_headers import PAGE_HEADERS
from telemetry.console.view import View
from telemetry.json_safe import valid_unicode

_MIN_COMPRESSED: Final = 2000  # bytes
_LEVEL: Final = 4
_OWN: Final = Path(__file__).parent / "templates"


@lru_cache(maxsize=32)
def environment(templates: Path | None = None) -> Environment:
    """The templates of the console, after those of another directory."""
    directories = [*([templates] if templates else []), _OWN]
    made = Environment(
        loader=FileSystemLoader(directories),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "number": words.number,
        "percent": words.percent,
        "duration": words.duration,
        "size": words.size,
    }
    made.globals |= {
        "chart": chart.draw,
        "sparkline": sparkline.draw,
        "waterfall": waterfall.draw,
        "version": static_files.VERSION,
    }
    return made


def render(template: str, view: View | None, values: Mapping[str, Any], templates: Path | None = None) -> str:
    """Render a template. With a view, times are shown as from its `now`."""
    now = view.now if view else 0.0
    shown = {
        "view": view,
        "clock": lambda at: words.clock_time(at, now),
        "ago": lambda at: words.relative_time(at, now),
        "axis_time": words.axis_time,
        **values,
    }
    return valid_unicode(environment(templates).get_template(template).render(shown))


def compressed(request: Request, page: str) -> Response:
    """A page as a response, compressed if the browser takes that."""
    body, headers = page.encode(), dict(PAGE_HEADERS)
    if len(body) > _MIN_COMPRESSED and "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["content-encoding"] = gzip.compress(body, _LEVEL), "gzip"
    return HTMLResponse(body, headers=headers)
