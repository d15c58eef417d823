"""Volumes and ports that a container cannot be started with: one line in its log, and it ends with 1."""

from collections.abc import Callable

import pytest

from tests.stack.conftest import Stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
DATA, LOGS = "/var/lib/sovani", "/var/log/sovani-bot"
OF_ANOTHER_USER = "chown -R 1234:1234 ."
OF_A_NEWER_VERSION = """python -c "
import sqlite3
with sqlite3.connect('sovani.db') as database:
    database.execute('CREATE TABLE alembic_version (version_num TEXT)')
    database.execute('INSERT INTO alembic_version VALUES (0)')
" && chown -R 10001:10001 ."""
OF_AN_OLDER_POSTGRESQL = "echo 16 > PG_VERSION && touch postgresql.conf && chmod 700 ."


def only_line(stack: Stack, *arguments: str) -> str:
    """That of a container which ends with 1."""
    code, said = stack.once(*arguments)
    lines = [line for line in said.splitlines() if line]
    assert (code, len(lines)) == (1, 1), said
    return lines[0]


@pytest.mark.parametrize(("variable", "path"), [("DATA_DIR", DATA), ("LOG_DIR", LOGS)])
def test_a_volume_of_another_user_is_one_line(stack: Stack, volume: Callable[[str], str], variable: str, path: str):
    line = only_line(stack, f"--volume={volume(OF_ANOTHER_USER)}:{path}", stack.image, "serve")

    assert line.startswith(f"{variable}={path} is not writable for user 10001")


def test_a_volume_of_a_newer_version_is_one_line(stack: Stack, volume: Callable[[str], str]):
    line = only_line(stack, f"--volume={volume(OF_A_NEWER_VERSION)}:{DATA}", stack.image, "serve")

    assert line.startswith("DATABASE_URL: the database is newer than this version of the service")


def test_a_volume_of_an_older_postgresql_is_one_error_of_postgresql(stack: Stack, volume: Callable[[str], str]):
    """The server's own words: one error, with a line of details."""
    image = str(stack.images["postgres"])
    mount = f"--volume={volume(OF_AN_OLDER_POSTGRESQL)}:/var/lib/postgresql/data"
    code, said = stack.once(mount, "--env=POSTGRES_PASSWORD=unused", image)

    assert (code, said.count("FATAL")) == (1, 1), said
    assert "initialized by PostgreSQL version 16" in said


def test_a_port_that_is_taken_is_one_line(stack: Stack):
    network = f"--network=container:{stack.project.container('sovani')['Id']}"

    assert "8080" in only_line(stack, network, stack.image, "serve")
