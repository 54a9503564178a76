"""A command may import only what it needs: start-up is what a person waits for."""

import subprocess
import sys

import pytest

HEAVY = {
    "aiohttp", "asyncio", "rich", "cryptography", "msgspec", "ssl", "http.client", "urllib",
    "subprocess", "email", "logging", "tarfile", "pathlib",
}  # fmt: skip


@pytest.mark.parametrize(
    "module",
    ["main", "container.list", "container.execute", "container.run", "image.list", "image.load"],
)
def test_imports(module: str) -> None:
    program = f"import sys, wherry.cli.main, wherry.cli.{module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    bare = subprocess.run(
        [sys.executable, "-I", "-c", "import sys, click; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert HEAVY & loaded <= set(bare.stdout.split())


def test_every_command_can_be_loaded_and_has_help() -> None:
    program = (
        "from wherry.cli.main import COMMANDS, main\n"
        "from wherry.cli import groups\n"
        "for name in COMMANDS:\n"
        "    if name not in ('daemon', 'doctor'):\n"
        "        assert main([name, '--help']) == 0, name\n"
        "for group in (groups.container, groups.image, groups.system):\n"
        "    for name in group.entries:\n"
        "        assert main([group.name, name, '--help']) == 0, name\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Usage:  wherry run [OPTIONS] IMAGE [COMMAND] [ARG...]" in done.stdout
