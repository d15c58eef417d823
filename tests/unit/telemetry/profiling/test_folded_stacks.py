from telemetry.profiling.folded_stacks import merge, parse, split_frame
from telemetry.redaction.policy import POLICY


def test_each_line_is_a_stack_with_its_number_of_samples():
    counts = parse("main (a.py:1);work (b.py:20) 3\nmain (a.py:1) 2\nmain (a.py:1) 1\n")

    assert counts == {("main (a.py:1)", "work (b.py:20)"): 3, ("main (a.py:1)",): 3}


def test_lines_that_are_no_stacks_are_skipped():
    assert parse("\nmain (a.py:1)\nmain (a.py:1) many\n 3\nmain (a.py:1) ٣\n") == {}


def test_control_characters_of_a_frame_become_spaces():
    assert parse("main\x1b[31m (a.py:1)\x85 2") == {("main [31m (a.py:1) ",): 2}


def test_a_secret_in_a_frame_is_redacted():
    POLICY.add_secrets({"OPS_TOKEN": "sesame-open-4711-sesame"})

    [(stack, _)] = parse("main (sesame-open-4711-sesame.py:1) 2").items()

    assert "sesame" not in stack[0]


def test_stacks_of_several_processes_begin_with_the_process():
    merged = merge([("worker 0", {("main",): 1}), ("worker 1", {("main",): 2})])

    assert merged == {("worker 0", "main"): 1, ("worker 1", "main"): 2}


def test_a_frame_is_a_function_a_file_and_a_line():
    assert split_frame("run.<locals>.<lambda> (service/jobs/a b.py:12)") == (
        "run.<locals>.<lambda>",
        "service/jobs/a b.py",
        12,
    )
    assert split_frame("work (a.py)") == ("work", "a.py", None)
    assert split_frame("worker 0") == ("worker 0", "", None)
