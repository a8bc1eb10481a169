"""Which cases the quick suite runs: of tables longer than two every sixth; `make test-all` runs all of them."""

import collections

import pytest

LONG, STRIDE = 2, 6


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark as slow what a test of more than two cases does beyond every sixth of them."""
    cases = collections.defaultdict(list)
    for item in items:
        if hasattr(item, "callspec"):
            cases[item.nodeid.partition("[")[0]].append(item)
    for table in cases.values():
        if len(table) > LONG:
            for number, item in enumerate(table):
                if number % STRIDE:
                    item.add_marker(pytest.mark.slow)
