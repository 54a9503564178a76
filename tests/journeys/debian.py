"""A Debian image and a local package repository, made once on the host and kept in a cache.

Containers never go out to the network. Only root can make a debootstrap tree with the right
owners, so the cache is filled when the tier runs as root, which it does first.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

SUITE = "bookworm"
PACKAGES = ("gosu", "nginx-light", "openssh-server", "postgresql", "redis-server", "sudo")


class Cache(NamedTuple):
    """What containers get to see."""

    image: Path
    """A tar archive of a root file system."""
    repository: Path
    """Packages with an index, for `deb [trusted=yes] file:/repo ./`."""


def cache() -> Cache:
    """Skips the test where there is no cache and none can be made."""
    folder = Path(os.environ.get("WHERRY_TEST_CACHE") or "/var/cache/wherry-tests")
    made = Cache(folder / f"{SUITE}.tar", folder / "debs")
    if made.image.exists() and (made.repository / "Packages").exists():
        return made
    if os.geteuid() != 0:
        pytest.skip(f"{folder} is empty: run the tier as root once")
    for program in ("debootstrap", "dpkg-scanpackages"):
        if not shutil.which(program):
            pytest.skip(f"needs {program} to fill {folder}")
    made.repository.mkdir(parents=True, exist_ok=True)
    tree = folder / "tree"
    try:
        _fill(made, tree)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"cannot fill {folder}: {error}")
    finally:
        shutil.rmtree(tree, ignore_errors=True)
    return made


def _fill(made: Cache, tree: Path) -> None:
    """debootstrap, the packages that the tree lacks, their index; the image comes last."""
    _run("debootstrap", "--variant=minbase", SUITE, str(tree))
    status = f"Dir::State::status={tree}/var/lib/dpkg/status"
    archives = f"Dir::Cache::archives={made.repository}"
    (made.repository / "partial").mkdir(exist_ok=True)
    options = ("-o", status, "-o", archives, "-o", "Debug::NoLocking=1", "--no-install-recommends")
    _run("apt-get", *options, "--download-only", "-y", "install", *PACKAGES)
    shutil.rmtree(made.repository / "partial")
    listed = subprocess.run(
        ["dpkg-scanpackages", "."], cwd=made.repository, check=True, capture_output=True
    )
    (made.repository / "Packages").write_bytes(listed.stdout)
    _run("tar", "-C", str(tree), "-cf", f"{made.image}.new", ".")
    os.rename(f"{made.image}.new", made.image)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=900)
