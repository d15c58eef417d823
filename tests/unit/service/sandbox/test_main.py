import logging
import signal
import socket
import sys
from datetime import timedelta

import pytest

from service.sandbox.__main__ import _is_no_injected_cut, _parse_options, main
from service.sandbox.faults import ConnectionCut
from service.sandbox.options import Options
from tests.support.processes import SOON, Programs, free_port
from tests.support.sandboxes import StartedSandbox


@pytest.fixture
def programs(tmp_path):
    programs = Programs(tmp_path)
    yield programs
    programs.kill()


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def said(capsys):
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()


def test_options_are_of_their_kind():
    given = ("wb_orders=7", "wb_limits=FALSE", "ozon_per_second=0.5", "moderation=1.5", "telegram_chat=kicked")

    assert _parse_options(given) == Options(
        wb_orders=7,
        wb_limits=False,
        ozon_per_second=0.5,
        moderation=timedelta(seconds=1.5),
        telegram_chat="kicked",
    )
    assert _parse_options(()) == Options()


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("nonsense=1", "There is no option 'nonsense'. There are: wb_reviews, wb_reviews_every, "),
        ("wb_orders", "wb_orders is '', but must be a whole number."),
        ("wb_orders=1.5", "wb_orders is '1.5', but must be a whole number."),
        ("wb_limits=no", "wb_limits is 'no', but must be true or false."),
        ("ozon_per_second=fast", "ozon_per_second is 'fast', but must be a number."),
        ("moderation=soon", "moderation is 'soon', but must be a number of seconds, more than 0."),
        ("wb_orders_every=0", "wb_orders_every is '0', but must be a number of seconds, more than 0."),
        ("wb_orders_every=1e300", "wb_orders_every is '1e300', but must be a number of seconds, more than 0."),
        ("telegram_chat=nonsense", "telegram_chat is none of ok, "),
    ],
)
def test_an_option_that_cannot_be_is_one_line(capsys, option, line):
    code = main(["--port", "0", "--option", option])

    [sentence] = said(capsys)
    assert code == 2
    assert sentence.startswith(line)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--faults", "2"), "The rate"),
        (("--faults", "503=0.1"), "There is no fault '503'."),
        (("--port", "http"), "'http' is no port from 0 to 65535"),
        (("--port", "70000"), "'70000' is no port from 0 to 65535"),
        (("--colour", "red"), "unrecognized arguments"),
    ],
)
def test_an_argument_that_cannot_be_is_told_with_those_that_can(capsys, arguments, sentence):
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    *usage, last = said(capsys)
    assert caught.value.code == 2
    assert usage[0].startswith("usage: python -m service.sandbox")
    assert sentence in last


def test_a_port_that_is_taken_is_one_line(capsys, taken):
    code = main(["--port", str(taken)])

    [sentence] = said(capsys)
    assert code == 1
    assert sentence.startswith(f"Cannot listen on 127.0.0.1:{taken} (Address already in use")


def test_with_a_parent_a_port_that_is_taken_is_the_parents_to_tell(capsys, taken):
    code = main(["--port", str(taken), "--with-parent"])

    assert (code, said(capsys)) == (1, [])


@pytest.mark.parametrize("journal", [".", "file/journal.jsonl"])
def test_a_journal_that_cannot_be_kept_is_one_line_and_the_port_is_free_again(capsys, tmp_path, journal):
    (tmp_path / "file").touch()
    port = free_port()

    code = main(["--port", str(port), "--journal", str(tmp_path / journal)])

    [sentence] = said(capsys)
    assert code == 1
    assert sentence.startswith(f"The journal {tmp_path / journal} cannot be kept (")
    with socket.create_server(("127.0.0.1", port)):
        pass


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.e2e)])
def test_it_serves_the_world_it_was_told_to_until_it_is_told_to_end(programs, number):
    sandbox = StartedSandbox.start(programs, faults="timeout=0.5", wb_reviews=3)

    kept = sandbox.expected_state("wb", "reviews")
    sandbox.program.tell(number)
    code = sandbox.program.exit_code(SOON)

    assert len(kept) == 3
    assert code in {0, -number}
    assert sandbox.program.said() == ""
    assert not sandbox.program.listens()


@pytest.mark.e2e
def test_what_was_done_to_a_world_is_there_after_a_restart_and_another_seed_is_another_world(programs, tmp_path):
    journal = ("--journal", str(tmp_path / "kept" / "journal.jsonl"))

    def page_of(*arguments):
        port = free_port()
        program = programs.start("-m", "service.sandbox", "--port", str(port), *journal, *arguments, port=port)
        page = program.wait_for("/").text
        program.kill()
        return page

    one, same, other = page_of(), page_of(), page_of("--seed", "2")

    assert one == same
    assert other != one
    assert "Seed 2," in other


def test_with_a_parent_it_ends_when_its_standard_input_does(programs):
    port = free_port()
    ends = f"exec {sys.executable} -m service.sandbox --port {port} --with-parent < /dev/null"

    program = programs.start_command("/bin/sh", "-c", ends, port=port)

    assert program.exit_code(SOON) in {0, -signal.SIGTERM}
    assert not program.listens()


def test_a_connection_that_a_fault_has_cut_is_no_error_of_the_sandbox():
    def record_of(error):
        raised = error and (type(error), error, None)
        return logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, "Exception in ASGI", (), raised)

    assert not _is_no_injected_cut(record_of(ConnectionCut()))
    assert _is_no_injected_cut(record_of(ValueError()))
    assert _is_no_injected_cut(record_of(None))
