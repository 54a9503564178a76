"""Capability sets as they can be given."""

from hypothesis import given
from hypothesis import strategies as st

from wherry.linux import capability
from wherry.runtime.identity import limit_to_held, plan_capabilities
from wherry.runtime.spec_types import CapabilitySets

NAMES = st.lists(st.sampled_from([*capability.NAMES, "CAP_FLY"]), max_size=8).map(tuple)
SETS = st.builds(CapabilitySets, NAMES, NAMES, NAMES, NAMES, NAMES)
MASK = st.integers(0, (1 << len(capability.NAMES)) - 1)


@given(SETS, MASK, MASK)
def test_what_is_given_obeys_the_kernels_rules(
    sets: CapabilitySets, held: int, bounding: int
) -> None:
    masks = limit_to_held(plan_capabilities(sets, 40), held, bounding)
    assert not masks.permitted & ~held
    assert not masks.bounding & ~bounding
    assert not masks.effective & ~masks.permitted
    assert not masks.ambient & ~(masks.permitted & masks.inheritable)
    assert not masks.inheritable & ~(held | bounding)


@given(SETS)
def test_nothing_is_lost_where_everything_is_held(sets: CapabilitySets) -> None:
    everything = (1 << 41) - 1
    planned = plan_capabilities(sets, 40)
    assert limit_to_held(planned, everything, everything) == planned


def test_unknown_capabilities_are_warned_of_once() -> None:
    warnings: list[str] = []
    sets = CapabilitySets(bounding=("CAP_FLY", "CAP_CHOWN"), effective=("CAP_FLY",))
    masks = plan_capabilities(sets, 40, warnings.append)
    assert masks.bounding == 1
    assert warnings == ["ignoring unknown or unavailable capability CAP_FLY"]


def test_a_capability_that_an_old_kernel_lacks() -> None:
    warnings: list[str] = []
    masks = plan_capabilities(CapabilitySets(permitted=("CAP_BPF",)), 38, warnings.append)
    assert masks.permitted == 0
    assert len(warnings) == 1
