"""GET /docs and /openapi.json, protected by the operator's token if there is one.

A browser cannot send a bearer token by itself, so both also accept the token as a password.
"""

import base64
import hashlib
import re
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

OPENAPI_PATH: Final = "/openapi.json"
_SCRIPT_ORIGIN: Final = "https://cdn.jsdelivr.net"
_ICON_ORIGIN: Final = "https://fastapi.tiangolo.com"
_INLINE_SCRIPT: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)
router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def read_docs(request: Request) -> HTMLResponse:
    """The API, to try out."""
    root = request.scope.get("root_path", "").rstrip("/")
    page = get_swagger_ui_html(openapi_url=root + OPENAPI_PATH, title=request.app.title)
    page.headers["content-security-policy"] = _policy(bytes(page.body).decode())
    return page


@router.get(OPENAPI_PATH)
async def read_openapi(request: Request) -> dict[str, Any]:
    schema: dict[str, Any] = request.app.openapi()
    return schema


def _policy(page: str) -> str:
    """Only the inline scripts of the page, by their hashes, and those of Swagger run."""
    hashes = (hashlib.sha256(script.encode()).digest() for script in _INLINE_SCRIPT.findall(page))
    own = " ".join(f"'sha256-{base64.b64encode(each).decode()}'" for each in hashes)
    return (
        f"default-src 'none'; script-src {_SCRIPT_ORIGIN} {own}; style-src {_SCRIPT_ORIGIN} 'unsafe-inline'; "
        f"img-src data: {_ICON_ORIGIN}; font-src data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
