"""Command lines in runc's forms."""

import pytest

from wherry.kit.errors import InvalidInput
from wherry.runtime.commands.arguments import Syntax, read

SYNTAX = Syntax(
    values=("bundle", "env"), switches=("detach",), aliases={"b": "bundle", "d": "detach"}, most=2
)


@pytest.mark.parametrize(
    "words",
    [
        ["--bundle", "x", "id"],
        ["--bundle=x", "id"],
        ["-b", "x", "id"],
        ["-b=x", "id"],
        ["-bundle", "x", "id"],
        ["id", "--bundle", "x"],
    ],
)
def test_every_form_of_a_value(words: list[str]) -> None:
    arguments = read(words, SYNTAX)
    assert arguments.value("bundle") == "x"
    assert arguments.words == ["id"]


def test_switches() -> None:
    assert read(["-d"], SYNTAX).has("detach")
    assert read(["--detach=true"], SYNTAX).has("detach")
    assert not read(["-d", "--detach=false"], SYNTAX).has("detach")
    with pytest.raises(InvalidInput, match="neither true nor false"):
        read(["--detach=maybe"], SYNTAX)


def test_repeated_values() -> None:
    arguments = read(["--env", "A=1", "--env=B=2"], SYNTAX)
    assert arguments.all("env") == ("A=1", "B=2")
    assert arguments.value("env") == "B=2"


def test_options_end() -> None:
    assert read(["--", "--bundle"], SYNTAX).words == ["--bundle"]
    arguments = read(["id", "sh", "-c", "x"], SYNTAX._replace(most=-1), interspersed=False)
    assert arguments.words == ["id", "sh", "-c", "x"]
    assert read(["-"], SYNTAX).words == ["-"]


@pytest.mark.parametrize("words", [["--nope"], ["--bundle"], ["a", "b", "c"]])
def test_what_is_wrong_is_told(words: list[str]) -> None:
    with pytest.raises(InvalidInput):
        read(words, SYNTAX)


def test_numbers_and_missing_words() -> None:
    arguments = read(["--env", "x"], SYNTAX)
    with pytest.raises(InvalidInput, match="--env: 'x' is not a number"):
        arguments.number("env")
    with pytest.raises(InvalidInput, match="container id is missing"):
        arguments.word(0, "container id")
