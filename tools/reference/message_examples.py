"""The page of rendered messages: the code that reports each kind of alert runs, and its messages are rendered as for Telegram."""

import tempfile
from pathlib import Path
from typing import Final

from tools.reference.alert_stage import BEGAN, Scene, alert_stage
from tools.reference.condition_scenes import CONDITIONS
from tools.reference.event_scenes import EVENTS

SCENES: Final = {**CONDITIONS, **EVENTS}


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for title, scene in SCENES.items():
        parts += [f"## {title}", *(f"```text\n{text}\n```" for text in play(scene) if text)]
    return "\n\n".join([*parts, "## Many alerts at once", f"```text\n{_digest()}\n```"]) + "\n"


def play(scene: Scene) -> tuple[str, str]:
    """The message of an alert, and the one about its end; empty if it has none."""
    with tempfile.TemporaryDirectory(prefix="reference-") as home, alert_stage(Path(home)) as stage:
        scene(stage)
        return stage.messages()


def _digest() -> str:
    with tempfile.TemporaryDirectory(prefix="reference-") as home, alert_stage(Path(home)) as stage:
        for title in ("A run is overdue", "A source is stale", "Workers are killed"):
            stage.now = BEGAN.timestamp()
            SCENES[title](stage)
        return stage.digest()


_HEAD: Final = """# Examples of messages

Each alert as it arrives on the phone, and below it the message about its end, if it has one. [Messages](messages.md) lists all texts.
Without `RUNBOOK_URL`, a message names the section of the runbook in the repository. With it, `Runbook` is a link.

`make reference` makes this page: it runs the code that reports the alerts."""
