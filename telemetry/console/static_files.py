"""The console's own files: its stylesheet, its script and its icon."""

import hashlib
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from telemetry.build import Telemetry
from telemetry.console.response_headers import FILE_HEADERS, PAGE_HEADERS

_DIRECTORY: Final = Path(__file__).parent / "static"
_MEDIA_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


async def read_file(request: Request, _telemetry: Telemetry) -> Response:
    path = _DIRECTORY / str(request.path_params["name"])
    if path.parent != _DIRECTORY or path.suffix not in _MEDIA_TYPES or not path.is_file():
        return PlainTextResponse("There is no such file.", 404, PAGE_HEADERS)
    return FileResponse(path, headers=FILE_HEADERS, media_type=_MEDIA_TYPES[path.suffix])


def _version() -> str:
    """Changes with the files: a browser keeps each version of them."""
    digest = hashlib.sha256()
    for path in sorted(_DIRECTORY.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


VERSION: Final = _version()
