"""Plain users: a delegated group, or none, said plainly."""

import os

import pytest

from wherry.linux.cgroup.layout import Layout
from wherry.runtime.cgroups.placement import placement
from wherry.runtime.cgroups.state import directories_of
from wherry.runtime.resources import Memory, Resources

pytestmark = pytest.mark.plain


def test_limits_that_cannot_be_had_are_reported(layout: Layout) -> None:
    if os.geteuid() == 0:
        pytest.skip("needs a plain user")
    placed = placement("/docker/x", "x", rootless=True, layout=layout)
    if placed.version == 2:
        pytest.skip("this user has a delegated group")
    assert len(placed.create(Resources(memory=Memory(limit=1 << 30), pids=5))) == 2
    placed.join(None)
    assert placed.pids() == [os.getpid()]
    placed.remove()


def test_roots_groups_are_refused_by_the_kernel(layout: Layout) -> None:
    if os.geteuid() == 0:
        pytest.skip("needs a plain user")
    placed = placement("/wherry-not-allowed", "x", rootless=False, layout=layout)
    with pytest.raises(PermissionError, match="Permission denied"):
        placed.create(Resources())
    assert not any(os.path.exists(folder) for folder in directories_of(placed).values())
