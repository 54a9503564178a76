import pytest

from wherry.kit.errors import InvalidInput
from wherry.linux.mount import Mount
from wherry.volume.options import check, to_mount


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"typo": "x"}, 'invalid option: "typo"'),
        ({"type": "nfs"}, 'missing required option: "device"'),
        ({"device": "x"}, 'missing required option: "type"'),
        ({"o": "ro"}, 'missing required option: "device"'),
    ],
)
def test_dockers_rules(options: dict[str, str], text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        check(options)


def test_quotas_are_not_pretended() -> None:
    with pytest.raises(InvalidInput, match="quota"):
        check({"size": "10m"})


@pytest.mark.parametrize(
    ("options", "mount"),
    [
        ({}, None),
        (
            {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,uid=5"},
            Mount("tmpfs", "tmpfs", ("size=1m", "uid=5")),
        ),
        ({"type": "none", "device": "/srv", "o": "bind"}, Mount("bind", "/srv", ("bind",))),
        (
            {"type": "none", "device": "/srv", "o": "ro,rbind"},
            Mount("bind", "/srv", ("ro", "rbind")),
        ),
        (
            {"type": "nfs", "device": ":/x", "o": "addr=10.0.0.1"},
            Mount("nfs", ":/x", ("addr=10.0.0.1",)),
        ),
        ({"type": "ext4", "device": "/dev/loop0"}, Mount("ext4", "/dev/loop0", ())),
    ],
)
def test_options_become_a_mount(options: dict[str, str], mount: Mount | None) -> None:
    check(options)
    assert to_mount(options) == mount
