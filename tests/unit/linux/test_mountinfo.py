"""Lines of mountinfo, with the forms that trip readers."""

from hypothesis import given
from hypothesis import strategies as st

from wherry.linux import mountinfo

LINE = "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime shared:1 master:2 - ext3 /dev/root rw,errors=x"


def test_every_field() -> None:
    point = mountinfo.parse(LINE)[0]
    assert point == mountinfo.MountPoint(
        id=36,
        parent=35,
        device="98:0",
        root="/mnt1",
        target="/mnt 2",
        options=("rw", "noatime"),
        tags=("shared:1", "master:2"),
        fstype="ext3",
        source="/dev/root",
        super_options=("rw", "errors=x"),
    )


def test_no_tags_and_an_empty_source() -> None:
    point = mountinfo.parse("68 70 0:4 / / rw - proc  rw")[0]
    assert point.tags == ()
    assert (point.fstype, point.source, point.super_options) == ("proc", "", ("rw",))


def test_our_own_mounts_can_be_read() -> None:
    targets = [point.target for point in mountinfo.read()]
    assert "/" in targets
    assert "/proc" in targets


@given(st.text(st.characters(max_codepoint=255, exclude_categories=["Cs"])))
def test_unescape_undoes_the_kernels_escapes(text: str) -> None:
    escaped = "".join(f"\\{ord(one):03o}" if one in " \t\n\\" else one for one in text)
    assert mountinfo.unescape(escaped) == text
