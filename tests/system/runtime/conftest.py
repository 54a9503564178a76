"""Real containers of a static busybox, made by the program; every test must leave nothing."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import wherry
from wherry.linux import mountinfo
from wherry.runtime.commands.template import example

APPLETS = (
    "sh cat echo sleep ls id ps mount umount env stat readlink kill touch chmod head grep true "
    "false mkdir rm ln test wc dd ifconfig hostname tty stty nproc find mknod cut sort date "
    "sha256sum setsid usleep chown printf cp mkfifo awk"
)
PROGRAM = [os.path.join(os.path.dirname(sys.executable), "wherry-runtime")]
IS_ROOT = os.geteuid() == 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("root") and not IS_ROOT:
            item.add_marker(pytest.mark.skip(reason="needs root"))
        if item.get_closest_marker("plain") and IS_ROOT:
            item.add_marker(pytest.mark.skip(reason="is about plain users"))


class Rig:
    """A state root, bundles, and the program."""

    def __init__(self, folder: Path, rootfs: str) -> None:
        self.folder = folder
        self.state = f"{folder}/state"
        self.rootfs = rootfs
        self._bundles = 0

    def bundle(self, *args: str, own_rootfs: bool = False, **process: Any) -> "Bundle":
        """A bundle that runs these words, in a copy of the root file system if asked for."""
        self._bundles += 1
        path = self.folder / f"bundle{self._bundles}"
        path.mkdir()
        config = example(rootless=not IS_ROOT)
        main = config["process"]
        assert isinstance(main, dict)
        main |= {"terminal": False, "args": list(args) or ["sleep", "300"], "rlimits": []}
        main |= process
        bundle = Bundle(path, config)
        if own_rootfs:
            shutil.copytree(self.rootfs, path / "rootfs", symlinks=True)
            bundle.config["root"]["path"] = "rootfs"
        else:
            bundle.config["root"]["path"] = self.rootfs
        if IS_ROOT:  # a name of its own: ids are short here, and others run tests beside us
            bundle.linux["cgroupsPath"] = f"/{self.folder.name}-{self._bundles}"
        return bundle

    def __call__(self, *words: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run a command of the program to its end."""
        options = {"stdin": subprocess.DEVNULL, "timeout": 60} | options
        return subprocess.run(
            [*PROGRAM, "--root", self.state, *words],
            capture_output=True,
            text=True,
            check=False,
            **options,
        )

    def ok(self, *words: str, **options: Any) -> str:
        """Run a command that has to succeed; its output."""
        result = self(*words, **options)
        assert result.returncode == 0, f"{words}: {result.returncode}: {result.stderr}"
        return result.stdout

    def fails(self, *words: str, **options: Any) -> str:
        """Run a command that has to fail; its last line of error."""
        result = self(*words, **options)
        assert result.returncode != 0, f"{words} succeeded: {result.stdout}"
        return result.stderr.strip().splitlines()[-1]

    def output(self, bundle: "Bundle", *words: str, **options: Any) -> str:
        """Run the bundle in the foreground; what it printed."""
        return self.ok("run", *words, "-b", bundle.save(), "box", **options)

    def start(self, bundle: "Bundle", container_id: str = "box", *words: str) -> int:
        """Create and start in the background; init's pid."""
        log = f"{self.folder}/create.log"  # stderr would stay open in the container
        with open("/dev/null", "r+b") as null:
            command = [*PROGRAM, "--root", self.state, "--log", log, "create", *words, "-b"]
            command += [bundle.save(), container_id]
            made = subprocess.run(
                command, stdin=null, stdout=null, stderr=null, check=False, timeout=60
            )
        assert made.returncode == 0, Path(log).read_text()
        self.ok("start", container_id)
        pid = json.loads(self.ok("state", container_id))["pid"]
        assert isinstance(pid, int)
        return pid

    def sh(self, text: str, *options: str, container: str = "box") -> str:
        """Run a shell line in a running container; what it printed."""
        return self.ok("exec", *options, container, "sh", "-c", text)

    def status(self, container_id: str = "box") -> str:
        return str(json.loads(self.ok("state", container_id))["status"])

    def wait(self, status: str, container_id: str = "box") -> None:
        deadline = time.monotonic() + 10
        while self.status(container_id) != status:
            assert time.monotonic() < deadline, f"is {self.status(container_id)}, not {status}"
            time.sleep(0.02)

    def clean(self) -> None:
        for container_id in self("list", "-q").stdout.split():
            self("delete", "--force", container_id)


class Bundle:
    """A folder with a configuration that tests change before it is saved."""

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        self.path = path
        self.config = config

    @property
    def rootfs(self) -> Path:
        return self.path / "rootfs"

    @property
    def process(self) -> dict[str, Any]:
        return self.config["process"]  # type: ignore[no-any-return]

    @property
    def linux(self) -> dict[str, Any]:
        return self.config["linux"]  # type: ignore[no-any-return]

    def mount(self, destination: str, kind: str, source: str, *options: str) -> None:
        entry = {"destination": destination, "type": kind, "source": source}
        self.config["mounts"].append(entry | {"options": list(options)})

    def namespace(self, kind: str, path: str = "") -> None:
        """Set, replace or (with `-`) remove a namespace."""
        kept = [entry for entry in self.linux["namespaces"] if entry["type"] != kind]
        if path != "-":
            kept.append({"type": kind} | ({"path": path} if path else {}))
        self.linux["namespaces"] = kept

    def capabilities(self, *names: str) -> None:
        sets = ("bounding", "effective", "permitted")
        self.process["capabilities"] = {one: list(names) for one in sets}

    def save(self) -> str:
        (self.path / "config.json").write_text(json.dumps(self.config))
        return str(self.path)


def _make_rootfs(folder: str) -> None:
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("needs busybox-static")
    for name in ("bin", "proc", "sys", "dev", "tmp", "etc", "root", "mnt"):
        os.mkdir(f"{folder}/{name}")
    shutil.copy(busybox, f"{folder}/bin/busybox")
    for name in APPLETS.split():
        os.symlink("busybox", f"{folder}/bin/{name}")
    Path(folder, "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nu:x:7:7::/home/u:\n")


@pytest.fixture(scope="session")
def rootfs() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="wherry-runtime-")
    os.chmod(folder, 0o755)
    _make_rootfs(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def rig(rootfs: str) -> Iterator[Rig]:
    """The program with a state root of its own; afterwards nothing may be left."""
    folder = Path(tempfile.mkdtemp(prefix="wherry-rt-"))
    folder.chmod(0o755)
    mounts = {(point.target, point.source) for point in mountinfo.read()}
    rig = Rig(folder, rootfs)
    yield rig
    rig.clean()
    try:
        assert rig("list", "-q").stdout == ""
        left = {(point.target, point.source) for point in mountinfo.read()} - mounts
        ours = {target for target, _ in left if target.startswith((str(folder), rootfs))}
        assert not ours, f"mounts left: {ours}"
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", str(folder)], check=False)
        shutil.rmtree(folder)


@pytest.fixture
def sleeper() -> Iterator[int]:
    """A process of the host that no container may touch."""
    child = subprocess.Popen(["sleep", "300"])
    yield child.pid
    with contextlib.suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGKILL)
    child.wait()


def in_sealed_python(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run code in a sealed interpreter that has wherry, as the monitor is."""
    search = os.path.dirname(os.path.dirname(wherry.__file__))
    starter = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from wherry.runtime.protect import run_sealed;"
        "run_sealed('exec(sys.argv[1])', sys.argv[2:], sys.argv[1])"
    )
    return subprocess.run(
        [sys.executable, "-c", starter, search, code, *arguments],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
