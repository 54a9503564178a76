"""`cp` beside Docker's: the same trees before, the same trees and exit codes after."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat import oracle

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not oracle.is_here(), reason="needs root and dockerd 20.10"),
]

MAKE_INSIDE = (
    "mkdir -p /src/dir/sub /dst/full/sub; echo one > /src/file; echo two > /src/dir/two; "
    "echo three > /src/dir/sub/three; ln -s file /src/link; ln -s dir /src/dirlink; "
    "ln -s /nowhere /src/broken; ln /src/file /src/dir/hard; echo old > /dst/full/two; "
    "ln -s full /dst/fulllink; ln -s new /dst/newlink; echo old > /dst/file"
)

OUT = """
/src/file x
/src/file full
/src/file full/
/src/file full/new
/src/file missing/new
/src/file missing/
/src/file file
/src/file fulllink
/src/file newlink
/src/link x
/src/link full
/src/dirlink x
/src/dirlink/ x
/src/dirlink/. x
/src/dir x
/src/dir x/
/src/dir full
/src/dir/ full
/src/dir/. full
/src/dir/. x
/src/dir/. file
/src/dir file
/src/dir full/x
/src/dir/sub/../two x
/src/broken x
/src/nope x
/src/file/ x
/src .
-L /src/link x
-L /src/link full
-L /src/dirlink x
-L /src/dirlink/. x
-L /src/dirlink full
-L /src/broken x
""".strip().splitlines()

IN = """
file /dst/x
file /dst/full
file /dst/full/
file /dst/full/new
file /dst/missing/new
file /dst/missing/
file /dst/file
file /dst/fulllink
file /dst/newlink
link /dst/x
link /dst/full
dirlink /dst/x
dirlink/ /dst/x
dirlink/. /dst/x
dir /dst/x
dir /dst/x/
dir /dst/full
dir/ /dst/full
dir/. /dst/full
dir/. /dst/x
dir/. /dst/file
dir /dst/file
dir/sub/.. /dst/x
broken /dst/x
nope /dst/x
file/ /dst/x
. /dst/full
-L link /dst/x
-L link /dst/full
-L dirlink /dst/x
-L dirlink/. /dst/x
-L broken /dst/x
-a file /dst/x
""".strip().splitlines()


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with oracle.dockerd() as address:
        yield address


@pytest.fixture(scope="module")
def made(host: str) -> str:
    """An image with the trees inside."""
    oracle.docker(
        host, "run", "--name", "maker", "--network", "none", "busybox", "sh", "-c", MAKE_INSIDE
    )
    oracle.docker(host, "commit", "maker", "made")
    return "made"


def run(program: list[str], words: list[str], host: str, folder: Path) -> int:
    environment = {**os.environ, "DOCKER_HOST": host, "WHERRY_HOST": host}
    done = subprocess.run(
        [*program, "cp", *words], cwd=folder, env=environment, capture_output=True, check=False
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.returncode


WHERRY = [sys.executable, "-c", "import sys; from wherry.cli.main import main; sys.exit(main())"]
PROGRAMS = ([oracle.DOCKER], WHERRY)


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    """Every path with its mode and content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        content = ""
        if stat.S_ISLNK(mode):
            content = os.readlink(path)
        elif stat.S_ISREG(mode):
            content = path.read_text()
        found[str(path.relative_to(folder))] = (mode, content)
    return found


def make_outside(folder: Path) -> None:
    (folder / "full/sub").mkdir(parents=True)
    (folder / "full/two").write_text("old\n")
    (folder / "file").write_text("one\n")
    (folder / "fulllink").symlink_to("full")
    (folder / "newlink").symlink_to("new")


@pytest.mark.parametrize("line", OUT)
def test_out_of_a_container(line: str, host: str, made: str, tmp_path: Path) -> None:
    container = oracle.docker(host, "create", made).stdout.strip()
    *flags, source, target = line.split()
    seen = []
    for number, program in enumerate(PROGRAMS):
        folder = tmp_path / str(number)
        make_outside(folder)
        code = run(program, [*flags, f"{container}:{source}", target], host, folder)
        seen.append((code, tree(folder)))
    oracle.docker(host, "rm", container)
    assert seen[1] == seen[0]


@pytest.mark.parametrize("line", IN)
def test_into_a_container(line: str, host: str, made: str, tmp_path: Path) -> None:
    *flags, source, target = line.split()
    make_outside(tmp_path / "src")
    (tmp_path / "src/dir/sub").mkdir(parents=True)
    (tmp_path / "src/dir/sub/three").write_text("three\n")
    os.link(tmp_path / "src/file", tmp_path / "src/dir/hard")
    for name, to in (("link", "file"), ("dirlink", "dir"), ("broken", "/nowhere")):
        (tmp_path / "src" / name).symlink_to(to)
    os.chown(tmp_path / "src/file", 1234, 4321)
    seen = []
    for number, program in enumerate(PROGRAMS):
        container = oracle.docker(host, "create", made).stdout.strip()
        code = run(program, [*flags, source, f"{container}:{target}"], host, tmp_path / "src")
        archive = tmp_path / f"{number}.tar"
        with open(archive, "wb") as file:
            subprocess.run(
                [oracle.DOCKER, "-H", host, "cp", f"{container}:/dst", "-"], stdout=file, check=True
            )
        listed = subprocess.run(
            ["tar", "--numeric-owner", "-tvf", archive], capture_output=True, text=True, check=True
        ).stdout
        oracle.docker(host, "rm", container)
        seen.append((code, sorted(_without_time(entry) for entry in listed.splitlines())))
    assert seen[1] == seen[0]


def _without_time(entry: str) -> list[str]:
    """A line of `tar -tv` without the day and minute: two copies may fall in two minutes."""
    words = entry.split()
    return words[:3] + words[5:]
