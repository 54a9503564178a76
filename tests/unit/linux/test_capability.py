"""Capability names and masks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.linux import capability


@given(st.sets(st.sampled_from(capability.NAMES)))
def test_masks_and_names_are_inverse(names: set[str]) -> None:
    assert set(capability.names_of(capability.mask(list(names)))) == names


def test_unknown_names_are_an_error() -> None:
    with pytest.raises(KeyError):
        capability.mask(["CAP_FLY"])


def test_the_two_ways_to_read_our_own_sets_agree() -> None:
    effective, permitted, inheritable = capability.get()
    sets = capability.sets_of()
    assert sets["effective"] == effective
    assert sets["permitted"] == permitted
    assert sets["inheritable"] == inheritable
    assert capability.bounding() == (sets["bounding"], capability.last_known())
