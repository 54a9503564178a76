"""What is measured. A case runs one round on one engine and returns seconds (or bytes)."""

import io
import json
import os
import socket
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from engines import Engine, cpu_of
from http_api import Api

IMAGE = "bench"
FILES = 15_000
FILE_BYTES = 11_500
LOG_BYTES = 20 << 20
COPY_BYTES = 100 << 20

Round = Callable[[Engine], float]


class Case(NamedTuple):
    """`goal` is the ratio to dockerd that is wanted; `unit` is ms or MiB."""

    name: str
    what: str
    run: Round
    rounds: int
    goal: float
    unit: str = "ms"
    prepare: Round | None = None
    clean: Round | None = None


def prepare(engine: Engine) -> None:
    """The image all containers are made of: a static busybox."""
    api = engine.api()
    data = _busybox_tar()
    api.stream_out(
        f"POST /images/create?fromSrc=-&repo={IMAGE}&tag=latest", len(data), iter([data])
    )
    api.close()


def _busybox_tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add("/bin/busybox", "bin/busybox")
        for name in ("sh", "sleep", "true", "cat", "echo", "seq", "yes", "head"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return buffer.getvalue()


def create(api: Api, command: list[str], network: str = "none", **host: object) -> str:
    """A container's id."""
    body = {
        "Image": IMAGE,
        "Cmd": command,
        "HostConfig": {"NetworkMode": network, **host},
        "ExposedPorts": {"80/tcp": {}} if "PortBindings" in host else {},
    }
    answer: dict[str, str] = json.loads(api.call("POST", "/containers/create", body))
    return answer["Id"]


def _life(network: str, **host: object) -> Round:
    def run(engine: Engine) -> float:
        api = engine.api()
        api.call("GET", "/_ping")
        began = time.perf_counter()
        id = create(api, ["true"], network, **host)
        api.call("POST", f"/containers/{id}/start")
        api.call("POST", f"/containers/{id}/wait")
        api.call("DELETE", f"/containers/{id}")
        took = time.perf_counter() - began
        api.close()
        return took

    return run


def _start_only(engine: Engine) -> float:
    """The start request alone."""
    api = engine.api()
    id = create(api, ["sleep", "60"])
    began = time.perf_counter()
    api.call("POST", f"/containers/{id}/start")
    took = time.perf_counter() - began
    api.call("DELETE", f"/containers/{id}?force=1")
    api.close()
    return took


def _start_cold(engine: Engine) -> float:
    """The start request right after another one: nothing that was made ahead is left."""
    api = engine.api()
    first, second = create(api, ["sleep", "60"]), create(api, ["sleep", "60"])
    api.call("POST", f"/containers/{first}/start")
    began = time.perf_counter()
    api.call("POST", f"/containers/{second}/start")
    took = time.perf_counter() - began
    for id in (first, second):
        api.call("DELETE", f"/containers/{id}?force=1")
    api.close()
    return took


def _running(engine: Engine) -> str:
    api = engine.api()
    id = create(api, ["sleep", "600"])
    api.call("POST", f"/containers/{id}/start")
    api.close()
    return id


_exec_in: dict[str, str] = {}


def _exec_prepare(engine: Engine) -> float:
    _exec_in[engine.name] = _running(engine)
    return 0.0


def _exec_clean(engine: Engine) -> float:
    engine.api().call("DELETE", f"/containers/{_exec_in.pop(engine.name)}?force=1")
    return 0.0


def _first_exec(engine: Engine) -> float:
    """The same in a container that has had none."""
    _exec_prepare(engine)
    try:
        return _exec(engine)
    finally:
        _exec_clean(engine)


def _exec(engine: Engine) -> float:
    """Create, start attached, read to the end of the stream."""
    api = engine.api()
    api.call("GET", "/_ping")
    began = time.perf_counter()
    body = {"AttachStdout": True, "AttachStderr": True, "Cmd": ["true"]}
    id = json.loads(api.call("POST", f"/containers/{_exec_in[engine.name]}/exec", body))["Id"]
    data = json.dumps({"Detach": False, "Tty": False}).encode()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(engine.socket)
        head = (
            f"POST /v1.41/exec/{id}/start HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
            f"Upgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        sock.sendall(head.encode() + data)
        while sock.recv(65536):
            pass
    took = time.perf_counter() - began
    api.close()
    return took


def _parallel(engine: Engine) -> float:
    """Fifty containers started at the same time by fifty clients."""
    apis = [engine.api() for _ in range(50)]
    ids = [create(api, ["sleep", "60"]) for api in apis]
    threads = [
        threading.Thread(target=api.call, args=("POST", f"/containers/{id}/start"))
        for api, id in zip(apis, ids, strict=True)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    for api, id in zip(apis, ids, strict=True):
        api.call("DELETE", f"/containers/{id}?force=1")
        api.close()
    return took


_listed: dict[str, list[str]] = {}


def _list_prepare(engine: Engine) -> float:
    api = engine.api()
    _listed[engine.name] = [create(api, ["true"]) for _ in range(200)]
    api.close()
    return 0.0


def _list_clean(engine: Engine) -> float:
    api = engine.api()
    for id in _listed.pop(engine.name):
        api.call("DELETE", f"/containers/{id}")
    api.close()
    return 0.0


def _list(engine: Engine) -> float:
    api = engine.api()
    api.call("GET", "/_ping")
    began = time.perf_counter()
    answer = api.call("GET", "/containers/json?all=1")
    took = time.perf_counter() - began
    if len(json.loads(answer)) < 200:
        raise RuntimeError("the list is not complete")
    api.close()
    return took


def _idle_memory(engine: Engine) -> float:
    """PSS of every process of the engine, with no container, MiB."""
    return engine.pss() / (1 << 20)


def _container_memory(engine: Engine) -> float:
    """PSS that ten more containers add, each, without their own processes, MiB."""
    before = engine.pss()
    ids = [_running(engine) for _ in range(10)]
    time.sleep(1)
    own = sum(_container_pss(engine, id) for id in ids)
    after = engine.pss()
    api = engine.api()
    for id in ids:
        api.call("DELETE", f"/containers/{id}?force=1")
    api.close()
    return (after - before - own) / 10 / (1 << 20)


def _container_pss(engine: Engine, id: str) -> int:
    from engines import pss_of

    pid = json.loads(engine.api().call("GET", f"/containers/{id}/json"))["State"]["Pid"]
    return pss_of(pid)


_archive: list[bytes] = []


def _load_archive() -> bytes:
    """A docker-archive of about 170 MB in 15,000 files, made once."""
    if not _archive:
        import hashlib

        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            for number in range(FILES):
                member = tarfile.TarInfo(f"data/{number % 150}/{number}")
                member.size = FILE_BYTES
                tar.addfile(member, io.BytesIO(os.urandom(FILE_BYTES // 2) * 2))
        data = layer.getvalue()
        digest = hashlib.sha256(data).hexdigest()
        config = json.dumps(
            {"architecture": "amd64", "os": "linux", "config": {},
             "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}}
        ).encode()  # fmt: skip
        name = hashlib.sha256(config).hexdigest() + ".json"
        listing = [{"Config": name, "RepoTags": ["big:latest"], "Layers": [f"{digest}/layer.tar"]}]
        outer = io.BytesIO()
        with tarfile.open(fileobj=outer, mode="w") as tar:
            for path, content in (
                (name, config),
                (f"{digest}/layer.tar", data),
                ("manifest.json", json.dumps(listing).encode()),
            ):
                member = tarfile.TarInfo(path)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        _archive.append(outer.getvalue())
    return _archive[0]


def _pieces(data: bytes) -> Iterator[memoryview]:
    view = memoryview(data)
    for start in range(0, len(view), 1 << 20):
        yield view[start : start + (1 << 20)]


_load_cpu: dict[str, list[float]] = {"dockerd": [], "wherry": []}


def _load(engine: Engine) -> float:
    data = _load_archive()
    api = engine.api()
    os.sync()
    pids = engine.processes()
    cpu = cpu_of(pids)
    began = time.perf_counter()
    api.stream_out("POST /images/load?quiet=1", len(data), _pieces(data))  # type: ignore[arg-type]
    took = time.perf_counter() - began
    _load_cpu[engine.name].append(cpu_of(engine.processes()) - cpu)
    api.call("DELETE", "/images/big:latest?force=1")
    api.close()
    return took


def _load_cpu_round(engine: Engine) -> float:
    """CPU seconds of the loads above, in order."""
    return _load_cpu[engine.name].pop(0)


def _logs(engine: Engine) -> float:
    """20 MB of log lines written by a container, and read back."""
    api = engine.api()
    count = LOG_BYTES // 64
    line = "x" * 63
    command = ["sh", "-c", f"yes {line} | head -n {count}"]
    log = {"Type": "json-file", "Config": {"max-size": "200m"}}
    began = time.perf_counter()
    id = create(api, command, LogConfig=log)
    api.call("POST", f"/containers/{id}/start")
    api.call("POST", f"/containers/{id}/wait")
    answer = api.call("GET", f"/containers/{id}/logs?stdout=1")
    took = time.perf_counter() - began
    if len(answer) < LOG_BYTES:
        raise RuntimeError(f"{engine.name}: {len(answer)} bytes of log came back")
    api.call("DELETE", f"/containers/{id}")
    api.close()
    return took


_copy_data: list[bytes] = []


def _copy(engine: Engine) -> float:
    """100 MB into a running container and out again."""
    if not _copy_data:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            member = tarfile.TarInfo("big")
            member.size = COPY_BYTES
            tar.addfile(member, io.BytesIO(os.urandom(1 << 20) * 100))
        _copy_data.append(buffer.getvalue())
    id = _running(engine)
    api = engine.api()
    data = _copy_data[0]
    began = time.perf_counter()
    api.stream_out(f"PUT /containers/{id}/archive?path=/", len(data), _pieces(data))  # type: ignore[arg-type]
    answer = api.call("GET", f"/containers/{id}/archive?path=/big")
    took = time.perf_counter() - began
    if len(answer) < COPY_BYTES:
        raise RuntimeError("the copy is not complete")
    api.call("DELETE", f"/containers/{id}?force=1")
    api.close()
    return took


PORT = {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}}
CASES = (
    Case("none", "create+start+wait+remove, network none", _life("none"), 20, 0.14),
    Case("bridge", "the same on the default bridge", _life("bridge"), 15, 0.15),
    Case("port", "the same with a published port", _life("bridge", **PORT), 15, 0.15),
    Case("start", "the start request alone, network none", _start_only, 15, 0.14),
    Case("cold", "the same right after another start", _start_cold, 15, 0.14),
    Case("exec", "exec of true, attached", _exec, 20, 0.25, "ms", _exec_prepare, _exec_clean),
    Case("first-exec", "the first exec of a container", _first_exec, 15, 0.25),
    Case("parallel", "50 starts at once", _parallel, 3, 0.2),
    Case("list", "list of 200 containers", _list, 20, 1.0, "ms", _list_prepare, _list_clean),
    Case("idle", "memory of the idle engine (PSS)", _idle_memory, 1, 0.5, "MiB"),
    Case("memory", "memory a container (PSS)", _container_memory, 1, 0.5, "MiB"),
    Case("load", "load of 170 MB in 15,000 files, wall", _load, 3, 0.4),
    Case("load-cpu", "the same, CPU", _load_cpu_round, 3, 0.4),
    Case("logs", "20 MB of log lines, written and read", _logs, 3, 0.5),
    Case("cp", "cp of 100 MB in and out", _copy, 3, 0.7),
)
