"""What `docker create` never sends: raw bodies to both daemons, the same status and words."""

import http.client
import json
import re
import socket
from typing import Any

import pytest

from tests.compat.pair import VERSION, Daemon, Pair, missing
from tests.compat.probe_image import PLAIN

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(missing()), reason=missing() or "-"),
]

BAD_ADDRESS = {"IPAMConfig": {"IPv4Address": "x"}}
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("hostname too long", {"Hostname": "h" * 64}),
    ("no such image", {"Image": "nosuch"}),
    ("bad env", {"Env": ["=x"]}),
    ("empty env", {"Env": [""]}),
    ("relative workdir", {"WorkingDir": "a/b"}),
    ("bad port", {"ExposedPorts": {"x/tcp": {}}}),
    ("bad protocol", {"ExposedPorts": {"80/xyz": {}}}),
    ("stop signal", {"StopSignal": "NOSUCH"}),
    ("health test", {"Healthcheck": {"Test": ["NOSUCH"]}}),
    ("health interval", {"Healthcheck": {"Test": ["CMD", "x"], "Interval": 5}}),
    ("health retries", {"Healthcheck": {"Test": ["CMD", "x"], "Retries": -1}}),
    ("memory", {"HostConfig": {"Memory": 5000}}),
    ("negative memory", {"HostConfig": {"Memory": -5}}),
    ("negative swap", {"HostConfig": {"Memory": 8 << 20, "MemorySwap": -5}}),
    ("swap alone", {"HostConfig": {"MemorySwap": 8 << 20}}),
    ("swappiness", {"HostConfig": {"MemorySwappiness": 101}}),
    ("nano cpus", {"HostConfig": {"NanoCpus": 10**15}}),
    ("nano and quota", {"HostConfig": {"NanoCpus": 10**9, "CpuQuota": 5000}}),
    ("period", {"HostConfig": {"CpuPeriod": 5}}),
    ("quota", {"HostConfig": {"CpuQuota": 5}}),
    ("rt", {"HostConfig": {"CpuRealtimePeriod": 10, "CpuRealtimeRuntime": 20}}),
    ("cpuset", {"HostConfig": {"CpusetCpus": "77"}}),
    ("oom score", {"HostConfig": {"OomScoreAdj": 2000}}),
    ("shm size", {"HostConfig": {"ShmSize": -1}}),
    ("restart name", {"HostConfig": {"RestartPolicy": {"Name": "sometimes"}}}),
    ("restart count", {"HostConfig": {"RestartPolicy": {"Name": "no", "MaximumRetryCount": 2}}}),
    ("minus", {"HostConfig": {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": -1}}}),
    ("auto remove", {"HostConfig": {"AutoRemove": True, "RestartPolicy": {"Name": "always"}}}),
    ("runtime", {"HostConfig": {"Runtime": "nosuch"}}),
    ("cap add", {"HostConfig": {"CapAdd": ["NOSUCH"]}}),
    ("cap drop", {"HostConfig": {"CapDrop": ["NOSUCH"]}}),
    ("ipc", {"HostConfig": {"IpcMode": "nosuch"}}),
    ("pid", {"HostConfig": {"PidMode": "nosuch"}}),
    ("uts", {"HostConfig": {"UTSMode": "nosuch"}}),
    ("userns", {"HostConfig": {"UsernsMode": "nosuch"}}),
    ("cgroupns", {"HostConfig": {"CgroupnsMode": "nosuch"}}),
    ("ipc container", {"HostConfig": {"IpcMode": "container:nosuch"}}),
    ("pid container", {"HostConfig": {"PidMode": "container:nosuch"}}),
    ("network container", {"HostConfig": {"NetworkMode": "container:"}}),
    ("log driver", {"HostConfig": {"LogConfig": {"Type": "nosuch"}}}),
    ("log option", {"HostConfig": {"LogConfig": {"Type": "json-file", "Config": {"x": "y"}}}}),
    ("bind", {"HostConfig": {"Binds": ["a:b:c:d"]}}),
    ("empty bind", {"HostConfig": {"Binds": [""]}}),
    ("colon bind", {"HostConfig": {"Binds": [":/x"]}}),
    ("bind mode", {"HostConfig": {"Binds": ["/tmp:/x:nosuch"]}}),
    ("volume name", {"HostConfig": {"Binds": ["in valid:/x"]}}),
    ("no target", {"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/tmp"}]}}),
    ("no source", {"HostConfig": {"Mounts": [{"Type": "bind", "Target": "/x"}]}}),
    ("mount type", {"HostConfig": {"Mounts": [{"Type": "x", "Target": "/x"}]}}),
    ("missing", {"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/no", "Target": "/x"}]}}),
    ("tmpfs", {"HostConfig": {"Mounts": [{"Type": "tmpfs", "Source": "a", "Target": "/x"}]}}),
    ("duplicate", {"HostConfig": {"Binds": ["/tmp:/x", "/var:/x"]}}),
    ("image volume", {"Volumes": {"relative": {}}}),
    ("ports", {"HostConfig": {"PortBindings": {"x": [{"HostPort": "80"}]}}}),
    ("host port", {"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "x"}]}}}),
    ("address", {"NetworkingConfig": {"EndpointsConfig": {"bridge": BAD_ADDRESS}}}),
    ("wrong type", {"HostConfig": {"Privileged": "yes"}}),
    ("isolation", {"HostConfig": {"Isolation": "hyperv"}}),
]  # fmt: skip


def ask(daemon: Daemon, body: bytes) -> tuple[int, str]:
    """POST /containers/create; status and message."""
    connection = http.client.HTTPConnection("docker", timeout=60)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(daemon.socket)
        connection.sock = sock
        headers = {"Content-Type": "application/json"}
        connection.request("POST", f"/v{VERSION}/containers/create?name=body", body, headers)
        answer = connection.getresponse()
        found = json.loads(answer.read())
    if answer.status == 201:
        daemon.must("rm", "-fv", "body")
    return answer.status, re.sub(r" \(this engine has .*\)", "", found.get("message", ""))


EARLIER = frozenset(
    ("hostname too long", "negative swap", "ipc", "pid", "uts", "userns", "image volume")
)
"""dockerd takes these and cannot start the container."""


@pytest.mark.parametrize(("name", "body"), REFUSED, ids=[name for name, _ in REFUSED])
def test_the_same_refusal(daemons: Pair, name: str, body: dict[str, Any]) -> None:
    sent = json.dumps({"Image": PLAIN, **body}).encode()
    theirs, ours = ask(daemons.dockerd, sent), ask(daemons.wherry, sent)
    if theirs[0] == 500:
        theirs = (400, theirs[1])
    if name in EARLIER:
        assert (theirs[0], ours[0]) == (201, 400)
    else:
        assert ours == theirs
