"""Dockerfile-like changes. The expected values are what dockerd 20.10's commit gave."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.image import changes, words
from wherry.kit.errors import InvalidInput
from wherry.oci.config import HealthConfig, ProcessConfig

BASE = ProcessConfig(
    env=["PATH=/bin", "A=old", "PORTS=80 443"], cmd=["old"], working_dir="/srv", labels={"k": "v"}
)


def apply(*lines: str, base: ProcessConfig = BASE) -> ProcessConfig:
    return changes.apply(base, lines)


def test_nothing_changes_nothing() -> None:
    assert apply() == BASE
    assert apply("", "# a comment") == BASE


def test_commands() -> None:
    assert apply('CMD ["a", "b c"]').cmd == ["a", "b c"]
    assert apply("cmd echo $A 'x y'").cmd == ["/bin/sh", "-c", "echo $A 'x y'"]
    assert apply("CMD x", base=ProcessConfig(shell=["/bin/bash", "-ec"])).cmd == [
        "/bin/bash",
        "-ec",
        "x",
    ]
    assert apply("CMD [not json").cmd == ["/bin/sh", "-c", "[not json"]
    assert apply("CMD []").cmd == []


def test_a_new_entrypoint_drops_the_old_command_but_not_a_new_one() -> None:
    assert apply('ENTRYPOINT ["e"]').cmd is None
    both = apply('CMD ["c"]', 'ENTRYPOINT ["e"]')
    assert (both.entrypoint, both.cmd) == (["e"], ["c"])


def test_env() -> None:
    assert apply("ENV A=1 B=2 C='x y' D=\"$A z\"").env == [
        "PATH=/bin",
        "A=1",
        "PORTS=80 443",
        "B=2",
        "C=x y",
        "D=old z",  # as in Dockerfiles, values see the environment before the instruction
    ]
    assert apply("ENV B some words").env == [*(BASE.env or ()), "B=some words"]
    assert apply("ENV P=$PATH:/x Q=${NO:-def} R=${A:+yes} S=\\$A T=").env == [
        *(BASE.env or ()),
        "P=/bin:/x",
        "Q=def",
        "R=yes",
        "S=$A",
        "T=",
    ]


def test_the_other_instructions() -> None:
    assert apply('LABEL a=b "c d"="e f"').labels == {"k": "v", "a": "b", "c d": "e f"}
    assert apply("EXPOSE 80 53/udp 8000-8002/TCP").exposed_ports == {
        port: {} for port in ("80/tcp", "53/udp", "8000/tcp", "8001/tcp", "8002/tcp")
    }
    assert apply("EXPOSE $PORTS").exposed_ports == {"80/tcp": {}, "443/tcp": {}}
    assert apply("ONBUILD RUN make  it").on_build == ["RUN make  it"]
    assert apply("USER www:www").user == "www:www"
    assert apply("VOLUME /a /b").volumes == {"/a": {}, "/b": {}}
    assert apply('VOLUME ["/a b"]').volumes == {"/a b": {}}
    assert apply("STOPSIGNAL SIGQUIT").stop_signal == "SIGQUIT"
    assert apply("WORKDIR /x/../y").working_dir == "/x/../y"
    assert apply("WORKDIR sub").working_dir == "/srv/sub"


def test_healthcheck() -> None:
    assert apply("HEALTHCHECK NONE").healthcheck == HealthConfig(test=["NONE"])
    check = apply("HEALTHCHECK --interval=5s --retries=3 CMD curl -f http://x || exit 1")
    assert check.healthcheck == HealthConfig(
        test=["CMD-SHELL", "curl -f http://x || exit 1"], interval=5_000_000_000, retries=3
    )
    assert apply('HEALTHCHECK CMD ["x", "y"]').healthcheck == HealthConfig(test=["CMD", "x", "y"])


def test_lines_are_joined_like_in_a_dockerfile() -> None:
    assert apply("ENV A=1 \\", "  B=2").env == apply("ENV A=1 B=2").env
    assert apply("ENV A=1\nENV B=2").env == apply("ENV A=1", "ENV B=2").env


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("RUN x", "run is not a valid change command"),
        ("nonsense", "nonsense is not a valid change command"),
        ("ENV", "ENV requires at least one argument"),
        ("ENV A", "ENV must have two arguments"),
        ("ENV A=1 B", 'can\'t find = in "B"'),
        ("ENV =x", "ENV names can not be blank"),
        ("LABEL", "LABEL requires at least one argument"),
        ("USER", "USER requires exactly one argument"),
        ("WORKDIR", "WORKDIR requires exactly one argument"),
        ("EXPOSE 70000", "Invalid containerPort: 70000"),
        ("EXPOSE 9-8", "Invalid containerPort"),
        ("EXPOSE x", "Invalid containerPort: x"),
        ("VOLUME []", "VOLUME specified can not be an empty string"),
        ("CMD [1]", "arrays must be comprised of strings only"),
        ("ONBUILD ONBUILD RUN x", "Chaining ONBUILD"),
        ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
        ("HEALTHCHECK", "HEALTHCHECK requires at least one argument"),
        ("HEALTHCHECK WHAT x", 'Unknown type "WHAT" in HEALTHCHECK'),
        ("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"),
        ("HEALTHCHECK --retries=0 CMD x", "--retries must be at least 1"),
        ("HEALTHCHECK --what=0 CMD x", "Unknown flag: what"),
        ("HEALTHCHECK --interval=1us CMD x", "cannot be less than 1ms"),
        ("USER --x=y z", "Unknown flag: x"),
        ("USER 'open", "single-quote"),
        ("USER ${", "missing '}'"),
        ("USER ${1a", "bad substitution|missing"),
        ("USER ${A!x}", "unsupported modifier"),
        ("USER ${Z:?gone}", "Z: gone"),
        ("STOPSIGNAL no signal", "invalid signal"),
    ],
)
def test_mistakes(line: str, text: str) -> None:
    with pytest.raises(InvalidInput, match=text.replace("[", r"\[").replace("(", r"\(")):
        apply(line)


@given(st.text())
def test_quoting_brings_any_text_through(text: str) -> None:
    quoted = "".join("\\" + char for char in text)
    assert words.expand(quoted, {}) == text


@given(st.text(alphabet="ab $\\\"'{}:-+=\n", max_size=20))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        words.expand(text, {"a": "1"})
        changes.apply(BASE, [f"ENV {text}", f"HEALTHCHECK {text}", f"EXPOSE {text}"])
    except InvalidInput:
        pass
