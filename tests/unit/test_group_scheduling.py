"""Which end-to-end tests are handed to one process."""

from tests.support.group_scheduling import scope_of


def test_the_tests_of_a_module_with_a_group_stay_together():
    assert {scope_of(f"tests/e2e/test_stack.py::{name}") for name in ("test_a", "test_b[x::y@z]")} == {"stack"}


def test_every_other_test_is_on_its_own():
    assert scope_of("tests/e2e/test_rules.py::test_a[1]") == "tests/e2e/test_rules.py::test_a[1]"
