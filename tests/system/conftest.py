"""System tests: nothing may be left behind by any of them."""

import pytest


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(scratch):
    """Every system test has a scratch folder, whose fixture fails if a process or socket is left in it."""
