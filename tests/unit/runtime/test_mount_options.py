"""Mount options by kind."""

from hypothesis import given
from hypothesis import strategies as st

from wherry.linux import mount
from wherry.runtime.commands.features import mount_options
from wherry.runtime.mount_options import MountOptions, propagation_of, sort_options


def test_docker_bind() -> None:
    options = sort_options(("rbind", "ro", "rprivate"))
    assert (options.bind, options.recursive, options.readonly) == (True, True, True)
    assert options.propagation == ((mount.MS_PRIVATE, True),)
    assert options.data == ()


def test_what_is_the_file_systems_stays_in_order() -> None:
    assert sort_options(("size=1m", "nosuid", "mode=1777", "iversion")).data == (
        "size=1m",
        "mode=1777",
        "i_version",
    )


def test_recursive_attributes_are_kept_apart() -> None:
    options = sort_options(("rro", "rnosuid", "rw"))
    wanted = mount.MOUNT_ATTR_RDONLY | mount.MOUNT_ATTR_NOSUID
    assert options.recursive_attributes.set == wanted
    assert not options.readonly


def test_words_that_look_like_recursive_ones() -> None:
    assert sort_options(("ro", "rw")).recursive_attributes == MountOptions().recursive_attributes
    assert propagation_of("rslave") == (mount.MS_SLAVE, True)
    assert propagation_of("rrslave") is None
    assert propagation_of("") is None


def test_special_words() -> None:
    options = sort_options(("tmpcopyup", "ridmap", "remount", "bind"))
    assert options.copy_up
    assert options.remount
    assert options.idmap == "ridmap"


@given(st.lists(st.sampled_from(mount_options())))
def test_no_known_word_reaches_the_file_system(words: list[str]) -> None:
    left = set(sort_options(tuple(words)).data)
    assert left <= {"i_version", "dirsync", "sync", "lazytime"}
