"""Flamegraphs on the page of the telemetry: a form that takes one, and those that are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from telemetry.build import Telemetry
from telemetry.console.page_definition import Action, Refused
from telemetry.console.parts import make_change, read_part
from telemetry.console.response_headers import PAGE_HEADERS
from telemetry.console.view import View
from telemetry.profiling import KeptProfile, KeptProfiles, NoProfile, PySpyMissing, find_py_spy

PATH: Final = "/profiles/{name}"
SECONDS: Final = (10, 5, 30)
"""What the form offers, the default first: all are within the deadline of a change."""


@dataclass(frozen=True, slots=True)
class _Profiles:
    """What is kept, and whether one is being taken."""

    newest: Sequence[KeptProfile] = ()
    is_being_taken: bool = False


def read_profiles(view: View) -> dict[str, Any]:
    kept = _kept(view.telemetry)
    return {
        "profiles": read_part("Profiles", lambda: _Profiles(kept.newest(), kept.is_being_taken()), _Profiles()),
        "profile_seconds": SECONDS,
        "profiler_missing": _missing(),
    }


def _missing() -> str:
    try:
        find_py_spy()
    except PySpyMissing as error:
        return str(error)
    return ""


def _kept(telemetry: Telemetry) -> KeptProfiles:
    return KeptProfiles(telemetry.settings.data_dir, telemetry.settings.service_name)


def _take(view: View) -> str:
    given = view.form.get("seconds", str(SECONDS[0]))
    if given not in map(str, SECONDS):
        raise Refused(f"A profile takes {', '.join(map(str, sorted(SECONDS)))} seconds: choose one of these.")
    try:
        return make_change("Profiles", lambda: _kept(view.telemetry).take(int(given)))
    except (NoProfile, PySpyMissing) as error:
        raise Refused(str(error)) from error


async def send_profile(request: Request, telemetry: Telemetry) -> Response:
    path = _kept(telemetry).path_of(str(request.path_params["name"]))
    if path is None:
        return PlainTextResponse("There is no such profile any more.", 404, PAGE_HEADERS)
    return FileResponse(
        path, headers=PAGE_HEADERS, media_type="image/svg+xml", filename=path.name, content_disposition_type="inline"
    )


ACTIONS: Final = (Action("/telemetry/profile", _take, "/telemetry"),)
