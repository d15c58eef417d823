"""The help of every command: groups, an example that works, and exit codes."""

import argparse
import re
import shlex

import pytest

from service.cli.command_list import COMMANDS
from service.cli.parser import make_parser


def subparsers(parser):
    """All commands below this one, by name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, each in action.choices.items():
                yield name, each
                yield from subparsers(each)


PARSER = make_parser("sovani")
TREE = dict(subparsers(PARSER))


def section(text, heading):
    return re.search(rf"^{heading}:\n((?:  .*\n)+)", text, re.MULTILINE)[1].splitlines()


def test_the_tree_has_every_command_once():
    assert list(TREE) == [command.name for command in COMMANDS]


@pytest.mark.parametrize("parser", TREE.values(), ids=TREE)
def test_the_help_of_every_command_has_groups_examples_that_parse_and_exit_codes(parser):
    text = parser.format_help()

    own = [group for group in parser._action_groups if group.title not in {"positional arguments", "options"}]
    arguments = [action for action in parser._actions if action.dest != "help"]
    assert {action for group in own for action in group._group_actions} == set(arguments)
    assert all(action.help for action in arguments)
    for example in section(text, "examples"):
        program, *words = shlex.split(example)
        assert program == "sovani"
        assert PARSER.parse_args(words).command is parser.get_default("command")
    codes = [int(line.split()[0]) for line in section(text, "exit codes")]
    assert {0, 1, 2, 130} <= set(codes)
    assert codes == sorted(codes)


def test_the_help_of_all_lists_every_command_under_its_group():
    text = PARSER.format_help()

    for command in COMMANDS:
        assert re.search(
            rf"^  {command.group}:\n(?:    .*\n)*?    {command.name} +{command.summary}$", text, re.MULTILINE
        )
    assert section(text, "examples")
    assert [line.split()[0] for line in section(text, "exit codes")][:4] == ["0", "1", "2", "130"]


@pytest.mark.parametrize(
    "words",
    [
        ["serve", "--port", "70000"],
        ["serve", "--port", "http"],
        ["serve", "--workers", "0"],
        ["serve", "extra"],
        ["run-job"],
        ["run-job", "a", "b"],
        ["test-alert", "--within", "-1"],
        ["silence", "x", "--for", "2 hours"],
        ["restore", "a", "b"],
        ["copy-database"],
        ["doctor", "--fix"],
        ["help"],
        [],
    ],
)
def test_a_wrong_argument_is_exit_code_2_and_a_line_that_names_it(words, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["sovani", *words])

    with pytest.raises(SystemExit) as stopped:
        PARSER.parse_args(words)

    assert stopped.value.code == 2
    assert ": error: " in capsys.readouterr().err.splitlines()[-1]
