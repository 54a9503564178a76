"""The images that the suites pull from the Hub, made of programs of this machine."""

import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

from wherry.content.files import FileStore
from wherry.image.image import StoredImage
from wherry.oci import reference as references
from wherry.oci.config import ProcessConfig
from wherry.remote.remote import Remote
from wherry.testing.images import Entry, Files, busybox_files, folder, image_from, symlink

SEARCH = "PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"
LEFT_OUT = {"test", "idlelib", "lib2to3", "__pycache__", "dist-packages", "site-packages"}
LEFT_OUT |= {"ensurepip", "turtledemo", "tkinter", "pydoc_data"}
REGISTRY = shutil.which("docker-registry") or ""
NAMES = {
    "busybox": ("library/busybox:latest", "library/alpine:latest"),
    "alpine": ("library/alpine:3.10",),
    "hello": ("library/hello-world:latest", "library/hello-world:linux"),
    "python": ("library/python:3.13-alpine", "library/python:latest"),
    "python-next": ("library/python:3.14-alpine",),
    "registry": ("library/registry:2",),
}
"""What is in the mirror under which names."""


async def fill(host: str, place: Path) -> None:
    """Push all of them to a registry."""
    store = FileStore(str(place))
    async with Remote() as remote:
        for kind, image in _images(store).items():
            for name in NAMES[kind]:
                reference = references.parse(f"{host}/{name}")
                await remote.push(reference, image.digest, store)


def _images(store: FileStore) -> dict[str, StoredImage]:
    def made(files: Files, *, mark: str = "", **config: list[str]) -> StoredImage:
        more: Files = {"etc/mark": mark} if mark else {}
        return image_from(store, {**files, **more}, config=ProcessConfig(env=[SEARCH], **config))

    base = _base()
    python = {**base, **_python()}
    return {
        "busybox": made(base, cmd=["sh"]),
        "alpine": made(base, mark="3.10", cmd=["sh"]),
        "hello": made(base, mark="hello", cmd=["echo", "Hello from Docker!"]),
        "python": made(python, cmd=["python3"]),
        "python-next": made(python, mark="3.14", cmd=["python3"]),
        "registry": made(
            {**base, **_registry()},
            entrypoint=[REGISTRY],
            cmd=["serve", "/etc/docker/registry/config.yml"],
        ),
    }


def _base() -> Files:
    return {
        **busybox_files(),
        "dev": folder(),
        "etc": folder(),
        "home": folder(),
        "proc": folder(),
        "sys": folder(),
        "var/lib/registry": folder(),
        "var/opt": folder(),
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\npostgres:x:70:70::/var/lib:/bin/sh\n",
        "etc/os-release": "ID=alpine\nNAME=busybox\n",
    }


def _python() -> Files:
    """The interpreter that runs this, at its own place, with the standard library."""
    program = os.path.realpath("/proc/self/exe")
    library = Path(sysconfig.get_path("stdlib"))
    files = {**_with_libraries(program), "usr/local/bin": folder()}
    for name in ("python", "python3"):
        files[f"usr/local/bin/{name}"] = symlink(program)
    for path in sorted(library.rglob("*")):
        if path.is_file() and not LEFT_OUT & set(path.relative_to(library).parts):
            files[str(path)] = Entry(path.read_bytes())
    return files


def _registry() -> Files:
    config = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": "/var/lib/registry"}},
        "http": {"addr": ":5000"},
    }
    return {**_with_libraries(REGISTRY), "etc/docker/registry/config.yml": json.dumps(config)}


def _with_libraries(program: str) -> dict[str, bytes | str | Entry]:
    """The program and the shared libraries that it is linked with, at their places."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    paths = [word for word in said.split() if word.startswith("/")]
    return {path: Entry(Path(path).read_bytes(), 0o755) for path in (program, *paths)}
