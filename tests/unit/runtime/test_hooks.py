"""Programs of the host: stdin, output, time, failure."""

import gc
import os
import time

import pytest

from wherry.runtime.errors import HookFailed
from wherry.runtime.hooks import run_hooks, run_program
from wherry.runtime.spec_types import Hook

SHELL = "/bin/sh"


def script(text: str, **options: object) -> Hook:
    return Hook(SHELL, ("sh", "-c", text), **options)  # type: ignore[arg-type]


def test_the_state_is_on_stdin_and_the_environment_is_the_hooks(tmp_path: object) -> None:
    out = f"{tmp_path}/out"
    hook = Hook(SHELL, ("sh", "-c", 'cat > "$OUT"; echo "$HOME" >> "$OUT"'), (f"OUT={out}",))
    run_hooks("prestart", (hook,), {"id": "x"})
    with open(out, encoding="utf-8") as file:
        assert file.read() == '{"id": "x"}\n'


def test_a_large_state_and_a_hook_that_does_not_read_it() -> None:
    big = {"id": "x" * 1_000_000}
    run_hooks("prestart", (script("cat >/dev/null"), script("exit 0")), big)


def test_a_failure_names_hook_and_output() -> None:
    with pytest.raises(HookFailed) as caught:
        run_hooks("poststart", (script("exit 0"), script("echo bad >&2; exit 3")), {})
    assert str(caught.value) == "error running poststart hook #1: /bin/sh: exit status 3: bad"


def test_a_signal_is_told() -> None:
    with pytest.raises(HookFailed, match="signal: 9"):
        run_hooks("poststart", (script("kill -9 $$"),), {})


def test_a_missing_hook() -> None:
    with pytest.raises(HookFailed, match="No such file"):
        run_hooks("prestart", (Hook("/no/such/hook"),), {})


def test_time_is_limited() -> None:
    began = time.monotonic()
    with pytest.raises(HookFailed, match="killed after 1 seconds"):
        run_hooks("prestart", (script("exec sleep 60", timeout=1),), {})
    assert time.monotonic() - began < 10


def test_a_child_that_keeps_the_output_open_is_not_waited_for() -> None:
    began = time.monotonic()
    assert run_program(SHELL, ("sh", "-c", "sleep 5 & echo done"))[1] == "done\n"
    assert time.monotonic() - began < 4


def test_nothing_is_left_open() -> None:
    gc.collect()  # what other tests dropped is closed now, not in between
    before = set(os.listdir("/proc/self/fd"))
    run_program("/bin/true", ("true",), stdin=b"x" * 100_000)
    assert set(os.listdir("/proc/self/fd")) <= before


def test_signals_are_default_in_the_program() -> None:
    status, output = run_program(SHELL, ("sh", "-c", "grep SigIgn /proc/self/status"))
    assert status == 0
    assert int(output.split()[1], 16) == 0
