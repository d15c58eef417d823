import json
import logging
import subprocess
import sys
import textwrap

import pytest

from telemetry.logs.json_formatter import JsonFormatter
from telemetry.logs.text_formatter import TextFormatter, one_line
from tests.support.processes import ROOT

TOKEN = "7712345678:AAF-canary_Canary-canary_CANARY-1a2b"


def record(message, *args, **given):
    return logging.LogRecord("shop", logging.INFO, "shop.py", 7, message, args, given.pop("exc_info", None))


def failing(text):
    try:
        raise ValueError(text)
    except ValueError:
        return sys.exc_info()


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        ("a\n2026-11-27 08:00:00,000 - root - ERROR - forged", "a\\n2026-11-27 08:00:00,000 - root - ERROR - forged"),
        ("a\r\nb", "a\\r\\nb"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("\x9b31m", "\\x9b31m"),
        ("nul\x00bell\x07", "nul\\x00bell\\x07"),
        ("a\u2028b\u202ec", "a\\u2028b\\u202ec"),
        ("tab\there", "tab\\there"),
        ("Привет, «мир» 😍", "Привет, «мир» 😍"),
    ],
)
def test_text_from_outside_stays_on_its_line(sent, written):
    line = TextFormatter().format(record("%s", sent))

    assert line.partition(" - shop - INFO - ")[2] == written
    assert "\n" not in line


def test_a_tracebacks_lines_are_set_in_so_that_none_of_them_is_a_record():
    forged = "x\n2026-11-27 08:00:00,000 - root - ERROR - forged \x1b[2J"

    _first, *below = TextFormatter().format(record("failed", exc_info=failing(forged))).splitlines()

    assert below[0] == "  Traceback (most recent call last):"
    assert below[-1] == "  2026-11-27 08:00:00,000 - root - ERROR - forged \\x1b[2J"
    assert all(line.startswith("  ") for line in below)


def test_a_secret_is_in_no_part_of_a_line():
    made = record("calling %s", TOKEN, exc_info=failing(f"refused {TOKEN}"))
    made.stack_info = f"Stack: {TOKEN}"
    made.api_key, made.url = "abc", f"https://x/bot{TOKEN}/y"

    text, line = TextFormatter().format(made), JsonFormatter().format(made)

    assert "canary" not in text + line
    assert json.loads(line)["api_key"] == "[hidden api_key]"
    assert json.loads(line)["message"] == "calling [hidden bot token …1a2b]"


def test_a_json_line_holds_no_order_for_a_terminal_and_says_the_same():
    line = JsonFormatter().format(record("%s", "\x9b2J\u2028\u202e\x1b"))

    assert line.isprintable()
    assert json.loads(line)["message"] == "\x9b2J\u2028\u202e\x1b"


def test_other_handlers_get_the_record_as_it_was():
    made = record("calling %s", TOKEN, exc_info=failing(TOKEN))
    TextFormatter().format(made)

    assert made.getMessage() == f"calling {TOKEN}"
    assert TOKEN in made.exc_text


def test_a_line_that_is_printable_is_the_same_text():
    text = "Заказ № 5 — «готов»"

    assert one_line(text) is text


def test_the_traceback_of_a_crash_has_no_secret_in_it(tmp_path):
    script = textwrap.dedent(f"""
        import threading
        from telemetry.logs import setup_logging
        from telemetry.settings import TelemetrySettings
        setup_logging(TelemetrySettings(log_dir="{tmp_path}", ops_token="canary-ops-token"))
        def fail(): raise RuntimeError("thread canary-ops-token")
        thread = threading.Thread(target=fail, name="worker"); thread.start(); thread.join()
        class Falls:
            def __del__(self): raise RuntimeError("nobody canary-ops-token")
        Falls()
        raise RuntimeError("main canary-ops-token")
    """)
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=50, check=False, cwd=ROOT
    )

    assert ran.returncode == 1
    assert "canary" not in ran.stderr
    assert [ran.stderr.count(f"RuntimeError: {who} [hidden OPS_TOKEN]") for who in ("thread", "nobody", "main")] == [
        1,
        1,
        1,
    ]
    assert "Traceback" in ran.stderr
