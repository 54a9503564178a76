"""Compiled filters on disk: found again, never mixed up, never broken."""

from pathlib import Path

from wherry.runtime.filter_cache import Compiled, compiled
from wherry.runtime.filters import compile_filters

ALLOW: dict[str, object] = {"defaultAction": "SCMP_ACT_ALLOW"}


def test_a_profile_is_compiled_once(tmp_path: Path) -> None:
    calls = []

    def compile_now() -> Compiled:
        calls.append(1)
        return b"12345678", 2

    for _ in range(3):
        assert compiled(f"{tmp_path}/cache", ALLOW, compile_now) == (b"12345678", 2)
    assert len(calls) == 1
    assert compiled("", ALLOW, compile_now) == (b"12345678", 2)
    assert len(calls) == 2


def test_a_broken_or_foreign_file_is_a_miss(tmp_path: Path) -> None:
    compiled(str(tmp_path), ALLOW, lambda: (b"right", 0))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for data in (b"", b"x", whole[:-1], whole + b"x", whole.replace(b"ALLOW", b"ERRNO")):
        path.write_bytes(data)
        assert compiled(str(tmp_path), ALLOW, lambda: (b"fresh", 0)) == (b"fresh", 0)


def test_filters_are_the_same_from_the_cache(tmp_path: Path) -> None:
    fresh = compile_filters(ALLOW, ())
    for _ in range(2):
        assert compile_filters(ALLOW, (), str(tmp_path)) == fresh
