"""Users by the image's own files."""

import pytest

from wherry.engine import users
from wherry.engine.spec.facts import User
from wherry.kit.errors import InvalidInput

PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:50::/home/app:/bin/sh\nbroken\n# note\n"
GROUP = "root:x:0:\nstaff:x:50:\nwheel:x:10:root,app\naudio:x:29:app\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", User(0, 0, (0, 10))),
        ("root", User(0, 0, (0, 10))),
        ("app", User(1000, 50, (50, 10, 29))),
        ("1000", User(1000, 50, (50, 10, 29))),
        ("4711", User(4711, 0, (0,))),
        ("app:wheel", User(1000, 10, (10,))),
        ("5:6", User(5, 6, (6,))),
        (":29", User(0, 29, (29,))),
    ],
)
def test_names_and_numbers(text: str, expected: User) -> None:
    assert users.resolve(text, PASSWD, GROUP) == expected


@pytest.mark.parametrize("text", ["nobody", "app:nogroup", "2147483648", "1:99999999999"])
def test_what_is_not_there_is_said(text: str) -> None:
    with pytest.raises(InvalidInput):
        users.resolve(text, PASSWD, GROUP)


def test_added_groups_come_last_and_once() -> None:
    assert users.resolve("app", PASSWD, GROUP, ["77", "audio"]).groups == (50, 10, 29, 77)


def test_an_image_without_files_has_numbers_only() -> None:
    assert users.resolve("12:13", "", "") == User(12, 13, (13,))
    with pytest.raises(InvalidInput, match="no matching entries"):
        users.resolve("app", "", "")


def test_home() -> None:
    assert users.home(1000, PASSWD) == "/home/app"
    assert users.home(1, PASSWD) == "/"
