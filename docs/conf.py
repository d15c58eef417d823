"""Sphinx: the pages of this folder as a site. `make docs` builds it into docs/_build."""

import tomllib
from pathlib import Path

_PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8"))["project"]

project = "sovani"
author = _PROJECT["authors"][0]["name"]
copyright = f"2026, {author}. Apache-2.0"  # noqa: A001  # Sphinx calls it so
version = release = _PROJECT["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinxcontrib.mermaid"]
myst_enable_extensions = ["deflist"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 4
root_doc = "index"
exclude_patterns = ["_build"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"

html_theme = "furo"
html_title = f"sovani {version}"
html_static_path: list[str] = []
