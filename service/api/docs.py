"""GET /docs and /openapi.json, protected by the operator's token if there is one.

A browser cannot send a bearer token by itself, so both also accept the token as a password. Swagger UI comes from this service:
the page works without internet.
"""

import base64
import hashlib
import re
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse

from service.errors import Problem

OPENAPI_PATH: Final = "/openapi.json"
_ASSETS: Final = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png")
_CACHE_SECONDS: Final = 86_400
_INLINE_SCRIPT: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)
router = APIRouter(include_in_schema=False)


class AssetNotFound(Problem):
    """404: the page of the API has no such file."""

    status = 404


@router.get("/docs")
async def read_docs(request: Request) -> HTMLResponse:
    """The API, to try out."""
    root = request.scope.get("root_path", "").rstrip("/")
    script, style, icon = (f"{root}/docs/{name}" for name in _ASSETS)
    page = get_swagger_ui_html(
        openapi_url=root + OPENAPI_PATH,
        title=f"{request.app.title}: HTTP API",
        swagger_js_url=script,
        swagger_css_url=style,
        swagger_favicon_url=icon,
        swagger_ui_parameters={"validatorUrl": None},  # the default is another host
    )
    page.headers["content-security-policy"] = _policy(bytes(page.body).decode())
    return page


@router.get("/docs/{asset}")
async def read_asset(asset: str) -> FileResponse:
    """A file of Swagger UI."""
    if asset not in _ASSETS:
        raise AssetNotFound(f"/docs has no file {asset!r}.")
    path = Path(str(files("fastapi_offline"))) / "static" / asset
    return FileResponse(path, headers={"cache-control": f"private, max-age={_CACHE_SECONDS}"})


@router.get(OPENAPI_PATH)
async def read_openapi(request: Request) -> dict[str, Any]:
    schema: dict[str, Any] = request.app.openapi()
    return schema


def _policy(page: str) -> str:
    """Only the inline script of the page, by its hash, and the files of this service."""
    hashes = (hashlib.sha256(script.encode()).digest() for script in _INLINE_SCRIPT.findall(page))
    own = " ".join(f"'sha256-{base64.b64encode(each).decode()}'" for each in hashes)
    return (
        f"default-src 'none'; script-src 'self' {own}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
