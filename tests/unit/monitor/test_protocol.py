import json
import subprocess
import sys
from pathlib import Path

import pytest

import wherry
from wherry.kit.errors import Conflict, Internal, InvalidInput, NotFound
from wherry.linux.mount import Mount
from wherry.monitor import failure
from wherry.monitor.failure import MonitorGone, ProcessFailed
from wherry.monitor.protocol import AttachOptions, ExecLaunch, Exit, LaunchRequest, LogConfig

REQUEST = LaunchRequest(
    "id",
    "/run/x",
    "/bundle",
    (Mount("overlay", "overlay", ("lowerdir=/a",)),),
    ("runc", "--debug"),
    LogConfig("/log", "json-file", 10, 3, True, (("a", "b"),)),
    tty=True,
    console_size=(80, 24),
)


@pytest.mark.parametrize(
    "value",
    [
        REQUEST,
        LaunchRequest("id", "/run/x", "/bundle"),
        ExecLaunch("e", {"args": ["sh"]}, True, True, AttachOptions(leftover=b"\xff")),
        ExecLaunch("e", {"args": ["sh"]}),
        Exit(137, 9, True, 1, 2, "why"),
    ],
)
def test_there_and_back(value: "LaunchRequest | ExecLaunch | Exit") -> None:
    fields = json.loads(json.dumps(value.to_fields()))
    assert type(value).from_fields(fields) == value


def test_newer_and_older_writers() -> None:
    fields = REQUEST.to_fields() | {"from_the_future": 1}
    assert LaunchRequest.from_fields(fields) == REQUEST
    older = {"container_id": "id", "exec_dir": "/run/x", "bundle": "/bundle"}
    assert LaunchRequest.from_fields(older) == LaunchRequest("id", "/run/x", "/bundle")
    with pytest.raises(InvalidInput, match="bundle"):
        LaunchRequest.from_fields({"container_id": "id", "exec_dir": "/x"})


@pytest.mark.parametrize(
    "error", [NotFound("x"), Conflict("y"), ProcessFailed("z", 127), Internal("i")]
)
def test_errors_cross(error: "Internal") -> None:
    again = failure.from_fields(json.loads(json.dumps(failure.to_fields(error))))
    assert (type(again), str(again)) == (type(error), str(error))
    assert getattr(again, "code", None) == getattr(error, "code", None)


def test_unknown_errors_become_their_nearest() -> None:
    assert failure.to_fields(MonitorGone("m"))["class"] == "Unavailable"
    assert isinstance(failure.from_fields({"class": "Newer", "text": "t"}), Internal)
    assert failure.to_fields(OSError(2, "gone"))["class"] == "Internal"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('exec: "x": executable file not found in $PATH', 127),
        ("stat /x: no such file or directory", 127),
        ('exec: "/etc": permission denied', 126),
        ("exec format error", 126),
        ("something else", 128),
    ],
)
def test_classify(text: str, code: int) -> None:
    assert failure.classify(text) == code


def test_the_zygote_loads_little() -> None:
    source = str(Path(wherry.__file__).parent.parent)
    code = (
        f"import sys; sys.path.insert(0, {source!r}); import wherry.monitor.zygote;"
        "print(*sorted(sys.modules))"
    )
    output = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(output.stdout.split())
    unwanted = ("asyncio", "msgspec", "subprocess", "pathlib", "logging", "tempfile", "inspect")
    assert not loaded & {*unwanted, "dataclasses", "shutil", "threading"}
