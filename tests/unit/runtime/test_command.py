"""Which program is run, and how it is said that there is none."""

import os
from pathlib import Path

import pytest

from wherry.runtime import command
from wherry.runtime.errors import BadWorkingDirectory, CommandNotExecutable, CommandNotFound


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, mode in (("one/prog", 0o755), ("two/prog", 0o755), ("one/plain", 0o644)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(mode)
    (tmp_path / "one" / "dir").mkdir()
    return tmp_path


def path_of(folder: Path) -> tuple[str, ...]:
    return (f"PATH={folder}/none:{folder}/one:{folder}/two",)


def test_the_first_in_path_is_taken(folder: Path) -> None:
    assert command.find("prog", path_of(folder)) == f"{folder}/one/prog"


def test_the_last_path_variable_counts(folder: Path) -> None:
    env = (*path_of(folder), f"PATH={folder}/two")
    assert command.find("prog", env) == f"{folder}/two/prog"


def test_a_missing_program_reads_as_goes_does(folder: Path) -> None:
    with pytest.raises(CommandNotFound) as caught:
        command.find("nope", path_of(folder))
    assert str(caught.value) == 'exec: "nope": executable file not found in $PATH'
    with pytest.raises(CommandNotFound) as caught:
        command.find("/nope", ())
    assert str(caught.value) == 'exec: "/nope": stat /nope: no such file or directory'
    with pytest.raises(CommandNotFound, match="not a directory"):
        command.find(f"{folder}/one/prog/x", ())


@pytest.mark.parametrize("name", ["plain", "dir"])
def test_what_cannot_be_executed_is_126(folder: Path, name: str) -> None:
    for word in (name, f"{folder}/one/{name}"):
        with pytest.raises(CommandNotExecutable, match=f'exec: "{word}": permission denied'):
            command.find(word, path_of(folder))


def test_execve_that_fails_says_why(folder: Path) -> None:
    script = folder / "one" / "bad"
    script.write_bytes(b"\0\1\2")
    script.chmod(0o755)
    with pytest.raises(CommandNotExecutable, match="exec format error"):
        command.Command(str(script), ("bad",), ()).execute()
    script.write_text("#!/no/interpreter\n")
    with pytest.raises(CommandNotFound, match="no such file"):
        command.Command(str(script), ("bad",), ()).execute()


def test_arguments_and_environment_arrive(folder: Path) -> None:
    out = folder / "out"
    pid = os.fork()
    if pid == 0:
        script = f'echo "$1 $X" > {out}'
        command.Command("/bin/sh", ("sh", "-c", script, "zero", "ünï"), ("X=y z",)).execute()
    assert os.waitpid(pid, 0)[1] == 0
    assert out.read_text() == "ünï y z\n"


def test_the_working_directory_stays_inside(folder: Path) -> None:
    root = os.open(folder, os.O_PATH)
    before = os.getcwd()
    try:
        (folder / "evil").symlink_to("/proc/self/fd/0")
        command.enter_directory(root, "/../one")
        assert os.getcwd() == f"{folder}/one"
        for path in ("/missing", "/evil", "/one/prog"):
            with pytest.raises(BadWorkingDirectory, match="chdir to cwd"):
                command.enter_directory(root, path)
    finally:
        os.chdir(before)
        os.close(root)


def test_home_comes_from_passwd_unless_it_is_set(folder: Path) -> None:
    passwd = folder / "passwd"
    passwd.write_text("root:x:0:0::/root:/bin/sh\nbroken\nu:x:7:7::/home/u:/bin/sh\n")
    assert command.home_of(7, str(passwd)) == "/home/u"
    assert command.home_of(8, str(passwd)) == "/"
    assert command.home_of(7, str(folder / "none")) == "/"
    assert command.with_home(("HOME=/x",), 0) == ("HOME=/x",)
    assert command.with_home(("HOME=", "A=b"), 4_000_000)[0] == "A=b"


def test_a_fifo_for_passwd_does_not_hold_us_up(folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    assert command.home_of(0, str(folder / "fifo")) == "/"
