import stat

import pytest

from wherry.layer.gomode import from_mode


@pytest.mark.parametrize(
    ("mode", "number"),
    [
        (stat.S_IFREG | 0o644, 420),
        (stat.S_IFDIR | 0o755, 2147484141),
        (stat.S_IFDIR | 0o1777, 2148532735),
        (stat.S_IFLNK | 0o777, 134218239),
        (stat.S_IFREG | 0o4755, 8389101),
        (stat.S_IFCHR | 0o666, 69206454),
    ],
)
def test_numbers_as_docker_sends_them(mode: int, number: int) -> None:
    assert from_mode(mode) == number
