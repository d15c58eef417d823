"""Every HTTP client of the service and of the telemetry is bounded."""

import ast

import pytest

from tests.support.processes import ROOT

CLIENTS = {"Client", "AsyncClient", "DefaultHttpxClient"}
SHORTCUTS = {"get", "post", "put", "patch", "delete", "head", "request", "stream", "urlopen"}
SELF_TEST = ROOT / "telemetry" / "selftest.py"  # asks a server of its own process
LIBRARIES = {"httpx", "httpx2", "requests", "openai", "urllib"}


def unbounded(source):
    """The lines that make a client without a transport, or call without a client."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner, name = node.func.value, node.func.attr
        if not (isinstance(owner, ast.Name) and owner.id in LIBRARIES):
            continue
        has_transport = any(each.arg == "transport" for each in node.keywords)
        if name in SHORTCUTS or (name in CLIENTS and not has_transport):
            yield node.lineno


@pytest.mark.parametrize("package", ["service", "telemetry"])
def test_no_client_is_made_without_the_bounded_transport(package):
    modules = [path for path in (ROOT / package).rglob("*.py") if path != SELF_TEST and "sandbox" not in path.parts]

    found = [f"{path.relative_to(ROOT)}:{line}" for path in modules for line in unbounded(path.read_text())]

    assert len(modules) > 10
    assert found == []


def test_the_search_finds_what_it_looks_for():
    source = "httpx.Client(timeout=5)\nhttpx.get('x')\nhttpx.Client(transport=t)\nhttpx2.AsyncClient()"

    assert list(unbounded(source)) == [1, 2, 4]
