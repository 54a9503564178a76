"""What the comparisons share."""

from collections.abc import Iterator

import pytest

from tests.compat import pair
from tests.compat.pair import Pair


@pytest.fixture(scope="session")
def daemons() -> Iterator[Pair]:
    """dockerd and ours, started once a session."""
    reason = pair.missing()
    if reason:
        pytest.skip(reason)
    with pair.running() as both:
        yield both
