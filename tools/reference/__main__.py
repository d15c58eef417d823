"""`python -m tools.reference [--check]`: write the pages that are made from the code, or fail if one of them is old."""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parents[2] / "docs" / "reference"


def _openapi() -> dict[str, Any]:
    from service.main import create_app  # noqa: PLC0415  # its environment is set first
    from service.settings import Settings  # noqa: PLC0415

    app = create_app(Settings(sandbox=True, scheduler=False, telemetry_logs=False, telemetry_alerts=False))
    description: dict[str, Any] = app.openapi()
    app.state.runtime.close()
    return description


def _pages() -> Mapping[str, Callable[[], str]]:
    from tools.reference import (  # noqa: PLC0415  # likewise
        commands,
        configuration,
        http_api,
        message_examples,
        metrics,
        tables,
    )

    return {
        "commands": commands.page,
        "configuration": configuration.page,
        "http-api": lambda: http_api.page(_openapi()),
        "message-examples": message_examples.page,
        "metrics": metrics.page,
        "tables": tables.page,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is old")
    is_check = parser.parse_args().check
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="reference-") as home:
        os.environ |= {"DATA_DIR": home, "LOG_DIR": home, "DATABASE_URL": f"sqlite:///{home}/none.db"}
        texts = {HERE / f"{name}.md": make() for name, make in _pages().items()}
    old = [path for path, text in texts.items() if not path.exists() or path.read_text("utf-8") != text]
    for path in old:
        if not is_check:
            path.write_text(texts[path], "utf-8")
        sys.stdout.write(f"{path.name} {'is old: run `make reference`' if is_check else 'written'}\n")
    return 1 if old and is_check else 0


if __name__ == "__main__":
    sys.exit(main())
