"""GET /docs and /openapi.json: as FastAPI gives them, for whoever has the token where there is one.

A browser cannot send a token of its own accord, so these two also take it as a password, which a browser asks for.
"""

import base64
import hashlib
import re
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

OPENAPI: Final = "/openapi.json"
_SCRIPTS: Final = "https://cdn.jsdelivr.net"
_ICON: Final = "https://fastapi.tiangolo.com"
_INLINE: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)
router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def read_docs(request: Request) -> HTMLResponse:
    """The API, to try out."""
    root = request.scope.get("root_path", "").rstrip("/")
    page = get_swagger_ui_html(openapi_url=root + OPENAPI, title=request.app.title)
    page.headers["content-security-policy"] = _policy(bytes(page.body).decode())
    return page


@router.get(OPENAPI)
async def read_openapi(request: Request) -> dict[str, Any]:
    schema: dict[str, Any] = request.app.openapi()
    return schema


def _policy(page: str) -> str:
    """Its own scripts run, known by their hashes, and those of Swagger; nothing else does."""
    hashes = (hashlib.sha256(script.encode()).digest() for script in _INLINE.findall(page))
    own = " ".join(f"'sha256-{base64.b64encode(each).decode()}'" for each in hashes)
    return (
        f"default-src 'none'; script-src {_SCRIPTS} {own}; style-src {_SCRIPTS} 'unsafe-inline'; "
        f"img-src data: {_ICON}; font-src data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
