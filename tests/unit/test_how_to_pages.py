"""The code blocks of the how-to pages fit the files that they change, in any order of the pages."""

import ast
from itertools import permutations

import pytest

from tests.support.how_to_pages import HOW_TO, DoesNotApply, blocks, changed_files

PAGES = ("add-a-job", "add-a-metric", "add-a-marketplace")


@pytest.mark.parametrize(
    "names",
    [
        *((name,) for name in PAGES if name != "add-a-metric"),
        *(names for names in permutations(PAGES) if names.index("add-a-job") < names.index("add-a-metric")),
    ],
    ids=" ".join,
)
def test_the_blocks_of_the_pages_fit_the_repository(names):
    files = changed_files(HOW_TO / f"{name}.md" for name in names)

    assert all(ast.parse(text) for path, text in files.items() if path.endswith(".py"))
    assert len(files) >= len(names)


def page(tmp_path, text):
    path = tmp_path / "page.md"
    path.write_text(text)
    return path


def test_a_file_an_edit_of_it_and_an_edit_of_the_edit_follow_each_other(tmp_path):
    path = page(
        tmp_path,
        "1. Write:\n\n   ```python\n   # a/b.py\n\n   x = 1\n\n   y = 2\n   ```\n\n"
        "   ```diff\n   --- a/b.py\n   +++ a/b.py\n   @@\n    x = 1\n\n   -y = 2\n   +y = 3\n   ```\n\n"
        "```diff\n+++ a/b.py\n@@\n-y = 3\n+y = 4\n@@\n-x = 1\n```\n",
    )

    assert changed_files([path]) == {"a/b.py": "\ny = 4\n"}
    assert [block.language for block in blocks(path)] == ["python", "diff", "diff"]


@pytest.mark.parametrize("before", ["z = 1", "x = 1\n y = 2"], ids=["nowhere", "not in this order"])
def test_an_edit_that_does_not_fit_names_its_file(tmp_path, before):
    path = page(tmp_path, f"```python\n# a.py\ny = 2\nx = 1\n```\n\n```diff\n+++ a.py\n@@\n {before}\n+w = 0\n```\n")

    with pytest.raises(DoesNotApply, match=r"^a\.py has 0 times:"):
        changed_files([path])


def test_an_edit_that_fits_twice_is_refused(tmp_path):
    path = page(tmp_path, "```python\n# a.py\nx = 1\nx = 1\n```\n\n```diff\n+++ a.py\n@@\n-x = 1\n+x = 2\n```\n")

    with pytest.raises(DoesNotApply, match=r"^a\.py has 2 times:"):
        changed_files([path])
