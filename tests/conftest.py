"""Which cases the quick suite runs: of long tables every fifth; `make test-all` runs all of them."""

import collections

import pytest

LONG, STRIDE = 3, 5


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark as slow what a test of more than three cases does beyond every fifth of them."""
    cases = collections.defaultdict(list)
    for item in items:
        if hasattr(item, "callspec"):
            cases[item.nodeid.partition("[")[0]].append(item)
    for table in cases.values():
        if len(table) > LONG:
            for number, item in enumerate(table):
                if number % STRIDE:
                    item.add_marker(pytest.mark.slow)
