import io
import os
import tarfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from wherry.layer.reader import TarReader
from wherry.layer.tarwriter import END, Member, encode, file_pieces

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=130)
members = st.builds(
    Member,
    name=st.lists(texts.filter(lambda part: part not in (".", "..")), min_size=1, max_size=4).map(
        "/".join
    ),
    kind=st.sampled_from("0"),
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, (1 << 32) - 2),
    gid=st.integers(0, (1 << 32) - 2),
    size=st.just(0),
    mtime=st.integers(0, (1 << 33)),
    link=st.just(""),
    device=st.just((0, 0)),
    records=st.just(()),
    xattrs=st.dictionaries(
        st.text("abc.", min_size=1).map("user.".__add__),
        st.binary(min_size=1, max_size=20),
        max_size=2,
    ).map(lambda values: tuple(sorted(values.items()))),
)


@given(members)
def test_what_is_written_is_read_again_by_us_and_by_tarfile(member: Member) -> None:
    data = encode(member) + END
    entry = TarReader(iter([data])).next()
    assert entry is not None
    assert entry[:5] == member[:5]
    assert (entry.mtime, entry.xattrs) == (member.mtime * 10**9, member.xattrs)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        (info,) = tar.getmembers()
    assert (info.name, info.mode, info.uid, info.mtime) == (
        member.name,
        member.mode,
        member.uid,
        member.mtime,
    )


@given(
    st.binary(min_size=1, max_size=300)
    .map(lambda raw: raw.replace(b"\0", b"").replace(b"/", b""))
    .filter(bool)
)
def test_names_that_are_not_utf8_survive(raw: bytes) -> None:
    name = os.fsdecode(raw)
    entry = TarReader(iter([encode(Member(name, "0")) + END])).next()
    assert entry is not None
    assert os.fsencode(entry.name) == raw


def test_a_file_that_vanished_or_changed_gives_nothing(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    status = os.stat(tmp_path / "f")
    (tmp_path / "f").unlink()
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        assert list(file_pieces(folder, "f", status, "f", {})) == []
        os.mkfifo(tmp_path / "f")  # must not block
        assert list(file_pieces(folder, "f", status, "f", {})) == []
        (tmp_path / "f").unlink()
        (tmp_path / "f").symlink_to("/etc/passwd")
        assert list(file_pieces(folder, "f", status, "f", {})) == []
    finally:
        os.close(folder)
