"""Reading flags as pflag does."""

import pytest

from wherry.cli import values
from wherry.cli.flags import (
    Flag,
    FlagError,
    HelpAsked,
    Parsed,
    Parser,
    listing,
    number,
    switch,
    text,
)

FLAGS = (
    switch("detach d", ""),
    switch("tty t", ""),
    switch("pause p", "", default=True),
    text("name n", ""),
    text("entrypoint", "", default=None),
    number("count c", ""),
    listing("env e", ""),
    Flag("net", "list", "", many=True, hidden=True, dest="env"),
    Flag("memory m", "bytes", "", read=values.size, default=0),
)


def parse(*words: str, interspersed: bool = True) -> Parsed:
    return Parser(FLAGS, interspersed=interspersed).parse(words)


def test_defaults() -> None:
    found = parse()
    assert found.rest == []
    assert found.values == {
        "detach": False, "tty": False, "pause": True, "name": "", "entrypoint": None,
        "count": 0, "env": [], "memory": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--name", "a"], "name", "a"),
        (["--name=a=b"], "name", "a=b"),
        (["--name="], "name", ""),
        (["-n", "a"], "name", "a"),
        (["-na"], "name", "a"),
        (["-n=a"], "name", "a"),
        (["-dn", "a"], "name", "a"),
        (["-dtna"], "name", "a"),
        (["--name", "-d"], "name", "-d"),
        (["-d"], "detach", True),
        (["-dt=false"], "tty", False),
        (["--pause=0"], "pause", False),
        (["-d", "--detach=F"], "detach", False),
        (["-c", "0x10"], "count", 16),
        (["-c", "-5"], "count", -5),
        (["-c", "010"], "count", 8),
        (["-m", "1.5k"], "memory", 1536),
        (["-e", "a", "--net", "b", "--env=c"], "env", ["a", "b", "c"]),
        (["--entrypoint", ""], "entrypoint", ""),
    ],
)
def test_values(words: list[str], name: str, value: object) -> None:
    assert parse(*words).values[name] == value


def test_flags_may_come_after_arguments() -> None:
    found = parse("a", "-d", "b", "--", "-t", "c")
    assert found.rest == ["a", "b", "-t", "c"]
    assert found.values["detach"] is True
    assert found.values["tty"] is False


def test_flags_end_at_the_first_argument_of_a_command_line_to_run() -> None:
    found = parse("-d", "image", "-t", "--", "x", interspersed=False)
    assert found.rest == ["image", "-t", "--", "x"]
    assert found.values["tty"] is False


def test_a_dash_alone_is_an_argument() -> None:
    assert parse("-", "-d").rest == ["-"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--nope"], "unknown flag: --nope"),
        (["--nope=x"], "unknown flag: --nope"),
        (["-z"], "unknown shorthand flag: 'z' in -z"),
        (["-dzt"], "unknown shorthand flag: 'z' in -zt"),
        (["--name"], "flag needs an argument: --name"),
        (["-dn"], "flag needs an argument: 'n' in -n"),
        (["--=x"], "bad flag syntax: --=x"),
        (["-m", "x"], 'invalid argument "x" for "-m, --memory" flag: invalid size: \'x\''),
        (
            ["--detach=maybe"],
            'invalid argument "maybe" for "-d, --detach" flag: strconv.ParseBool: '
            'parsing "maybe": invalid syntax',
        ),
        (
            ["-c", "x"],
            'invalid argument "x" for "-c, --count" flag: strconv.ParseInt: '
            'parsing "x": invalid syntax',
        ),
    ],
)
def test_complaints(words: list[str], said: str) -> None:
    with pytest.raises(FlagError) as caught:
        parse(*words)
    assert str(caught.value) == said


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["-dh"]])
def test_help(words: list[str]) -> None:
    with pytest.raises(HelpAsked):
        parse(*words)


@pytest.mark.parametrize(
    ("text", "nano"),
    [("1", 10**9), ("0.5", 5 * 10**8), (".25", 25 * 10**7), ("1/4", 25 * 10**7), ("1e-3", 10**6)],
)
def test_cpus(text: str, nano: int) -> None:
    assert values.nano_cpus(text) == nano
