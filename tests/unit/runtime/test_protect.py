"""The sealed copy of the interpreter."""

import os

import pytest

from wherry.kit.errors import PreconditionFailed
from wherry.runtime import protect


def test_a_copy_can_be_run_but_never_written() -> None:
    copy = protect.sealed_copy("/bin/true")
    try:
        with pytest.raises(OSError):
            os.write(copy, b"x")
        with pytest.raises(OSError):
            os.ftruncate(copy, 0)
        with pytest.raises(OSError):
            again = os.open(f"/proc/self/fd/{copy}", os.O_WRONLY | os.O_TRUNC)
            os.close(again)
        pid = os.fork()
        if pid == 0:
            os.execve(f"/proc/self/fd/{copy}", ["true"], {})
        assert os.waitpid(pid, 0)[1] == 0
    finally:
        os.close(copy)


def test_this_interpreter_is_an_ordinary_file() -> None:
    assert not protect.is_sealed()
    with pytest.raises(PreconditionFailed, match="sealed"):
        protect.require_sealed()


def test_a_sealed_interpreter_knows_that_it_is() -> None:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(write, 1)
        search = os.path.dirname(os.path.dirname(os.path.dirname(protect.__file__)))
        protect.run_sealed(
            "from wherry.runtime.protect import is_sealed; print(is_sealed(), sys.argv[1:])",
            ["a b"],
            search,
        )
    os.close(write)
    with open(read, encoding="utf-8") as file:
        assert file.read() == "True ['a b']\n"
    assert os.waitpid(pid, 0)[1] == 0
