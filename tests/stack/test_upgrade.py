"""A second `docker compose up`, with a newer image, over the data of an older version."""

from pathlib import Path

import pytest

from tests.stack.conftest import LONG, Stack
from tests.support.processes import eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
OLDER = "3f6c0a95d1e7"
"""The revision of version 0.1.0."""
DOWNGRADE = f"""
from alembic import command
from alembic.config import Config
from service.database import migrations
command.downgrade(Config(migrations.MIGRATIONS.parent / "alembic.ini"), "{OLDER}")
"""


def rows(stack: Stack, statement: str) -> set[str]:
    psql = ("psql", "--username=sovani", "--no-align", "--tuples-only", f"--command={statement}")
    return set(stack.project.compose("exec", "--no-TTY", "postgres", *psql).split())


def image_id(stack: Stack, name: str) -> str:
    return stack.engine.docker("image", "inspect", "--format={{.Id}}", name).strip()


def test_up_with_a_newer_image_migrates_the_database_and_keeps_all_history(settled: Stack, tmp_path: Path):
    settled.run_a_job()
    [newest] = rows(settled, "SELECT version_num FROM alembic_version")
    settled.project.compose("stop", "sovani", "scheduler")
    settled.project.compose("run", "--rm", "--no-TTY", "--no-deps", "--entrypoint=python", "scheduler", "-c", DOWNGRADE)
    assert rows(settled, "SELECT version_num FROM alembic_version") == {OLDER}
    runs, reviews = rows(settled, "SELECT id FROM job_runs"), rows(settled, "SELECT id FROM reviews")
    assert runs
    assert reviews
    current = image_id(settled, settled.image)
    (tmp_path / "Dockerfile").write_text(f"FROM {settled.image}\nLABEL version=newer\n")
    try:
        settled.engine.docker("build", "--quiet", f"--tag={settled.image}", str(tmp_path))
        settled.project.up()

        assert {settled.project.container(name)["Image"] for name in ("sovani", "scheduler")} == {
            image_id(settled, settled.image)
        }
        assert image_id(settled, settled.image) != current
    finally:
        settled.engine.docker("tag", current, settled.image)

    eventually(settled.all_well, LONG)
    assert rows(settled, "SELECT version_num FROM alembic_version") == {newest}
    upgraded = f"The database was upgraded from revision {OLDER} to {newest}."
    assert len([line for line in [*settled.logs("sovani"), *settled.logs("scheduler")] if upgraded in line]) == 1
    assert runs <= rows(settled, "SELECT id FROM job_runs")
    assert reviews <= rows(settled, "SELECT id FROM reviews")
    settled.run_a_job()
