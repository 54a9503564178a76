"""The same command line for Docker's own CLI and for ours: the same requests, the same refusals.

The other CLI is the oracle; both talk to a server that only writes down what it is asked.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.compat.recorder import Asked, Recorder
from wherry.cli.main import main

SECCOMP = '{ "defaultAction": "SCMP_ACT_ALLOW",\n  "note": "a b \\u003c",\n  "syscalls": [] }\n'
ENV_FILE = "# comment\nA=1\n\n  B=two words\nINHERITED\nNOWHERE\nC=\nD=x=y\n"
LABEL_FILE = "a=b\n# no\nc=d e\nbare\n"

ACCEPTED = """
busybox
busybox sh -c 'echo hi'
busybox -x --rm -- y
-- busybox ls
-i busybox
-t busybox
-it busybox
-ti=false busybox
-i=false -t busybox
--interactive --tty=true busybox
-a stdin busybox
-a stdout busybox
-a STDERR busybox
-a stdin -a stdout -i busybox
-e A=1 -e B= -e C=x=y busybox
-e INHERITED -e NOWHERE busybox
--env-file env busybox
--env-file env -e A=2 busybox
--label-file labels busybox
--label-file labels -l a=2 busybox
-l a=b -l c --label d=e=f busybox
--name box busybox
--name=box busybox
-h host busybox
--hostname host --domainname example.org busybox
-u 1000:1000 -w /work busybox
-u daemon busybox
--entrypoint /bin/sh busybox -c ls
--entrypoint '' busybox ls
--entrypoint= busybox
--stop-signal SIGINT busybox
--stop-timeout 5 busybox
--stop-timeout 0 busybox
--rm busybox
--rm=false busybox
--init busybox
--init=false busybox
--restart always busybox
--restart on-failure:3 busybox
--restart unless-stopped busybox
--restart no --rm busybox
--restart '' busybox
--read-only busybox
--privileged busybox
--cap-add NET_ADMIN --cap-drop ALL busybox
--cap-add=SYS_TIME --cap-add=cap_chown busybox
--security-opt no-new-privileges busybox
--security-opt no-new-privileges=true --security-opt label=disable busybox
--security-opt apparmor:unconfined busybox
--security-opt seccomp=unconfined busybox
--security-opt seccomp=seccomp.json busybox
--security-opt systempaths=unconfined busybox
--security-opt systempaths=unconfined --security-opt label=disable busybox
--userns host --uts host --pid host --ipc host --cgroupns host busybox
--cgroupns private --ipc private busybox
--pid container:other --ipc container:other busybox
--cgroup-parent /my busybox
--group-add audio --group-add 99 busybox
--sysctl net.ipv4.ip_forward=1 --sysctl kernel.shmmax=5 busybox
--ulimit nofile=1024 busybox
--ulimit nofile=1024:2048 --ulimit core=0 --ulimit nofile=7:8 busybox
--ulimit core=-1:-1 busybox
-m 64m busybox
-m 1.5g --memory-swap -1 busybox
--memory 1073741824 --memory-reservation 512M --memory-swap 2GiB busybox
--memory-swappiness 0 busybox
--memory-swappiness 60 busybox
--kernel-memory 64m busybox
--oom-kill-disable --oom-score-adj -500 busybox
--shm-size 128m busybox
--cpus 1.5 busybox
--cpus 0.25 -c 512 busybox
--cpus .5 busybox
--cpu-period 100000 --cpu-quota 50000 --cpu-shares 2 busybox
--cpu-rt-period 1000 --cpu-rt-runtime 500 busybox
--cpuset-cpus 0-1,3 --cpuset-mems 0 busybox
--pids-limit 100 busybox
--pids-limit -1 busybox
--blkio-weight 300 busybox
--blkio-weight-device /dev/sda:100 --blkio-weight-device /dev/sdb:0 busybox
--device-read-bps /dev/sda:1mb --device-write-bps /dev/sda:2k busybox
--device-read-iops /dev/sda:10 --device-write-iops /dev/sda:20 busybox
--device /dev/null busybox
--device /dev/null:/dev/zero busybox
--device /dev/null:r busybox
--device /dev/null:/dev/zero:rw busybox
--device /dev//null/ busybox
--device-cgroup-rule 'c 1:3 rwm' --device-cgroup-rule 'b *:* r' busybox
--gpus all busybox
--gpus 2 busybox
--gpus '"device=0,1"' busybox
--gpus 'device=0,"capabilities=compute,utility"' busybox
--gpus driver=nvidia,count=3 busybox
-p 80 busybox
-p 8080:80 busybox
-p 8080:80/udp -p 8080:80/tcp busybox
-p 127.0.0.1:8080:80 busybox
-p 127.0.0.1::80 busybox
-p '[::1]:8080:80' busybox
-p 5000-5002:6000-6002 busybox
-p 5000-5002 busybox
-p 8000-8010:80 busybox
-p 80:80 -p 81:80 busybox
-p 53:53/SCTP busybox
-p published=8080,target=80 busybox
-p published=53,target=53,protocol=udp busybox
-P --expose 80 --expose 90-92/udp busybox
--expose 80/tcp -p 80:80 busybox
-v /a:/b busybox
-v /a:/b:ro -v /c busybox
-v name:/b -v name2:/c:nocopy busybox
-v /b busybox
-v /a:/b:ro,z,rshared busybox
-v /a:/b -v /a:/b busybox
-v a:/b busybox
-v /x busybox
--volumes-from other --volumes-from another:ro busybox
--volume-driver local busybox
--tmpfs /run --tmpfs /tmp:size=64m,mode=1777 busybox
--mount type=bind,source=/a,target=/b busybox
--mount type=bind,src=/a,dst=/b,readonly busybox
--mount type=bind,src=/a,dst=/b,ro=false busybox
--mount type=bind,src=/a,destination=/b,bind-propagation=rslave,consistency=cached busybox
--mount type=bind,src=/a,dst=/b,bind-nonrecursive=true busybox
--mount type=volume,src=v,dst=/b,volume-nocopy busybox
--mount src=v,dst=/b,volume-driver=local,volume-opt=type=nfs,volume-opt=o=ro busybox
--mount 'type=volume,dst=/b,volume-label=a=b,"volume-opt=o=addr=1,rw"' busybox
--mount type=tmpfs,dst=/t busybox
--mount type=tmpfs,dst=/t,tmpfs-size=64m,tmpfs-mode=1770 busybox
--mount TYPE=BIND,src=/a,dst=/b,READONLY=true busybox
--log-driver json-file --log-opt max-size=10m --log-opt max-file=3 busybox
--log-driver none busybox
--storage-opt size=10G busybox
--network host busybox
--network none busybox
--net none busybox
--network container:other busybox
--network mine busybox
--network mine --network-alias a --net-alias b busybox
--network mine --ip 10.0.0.5 --ip6 fd00::5 busybox
--network mine --link-local-ip 169.254.1.1 busybox
--network name=mine,alias=a,alias=b busybox
--network name=mine,driver-opt=x=y busybox
--network mine --link db:database busybox
--link db busybox
--link db:database --link web busybox
--mac-address 92:d0:c6:0a:29:33 busybox
--dns 8.8.8.8 --dns ::1 --dns-search example.org --dns-search . --dns-option ndots:2 busybox
--dns-opt ndots:3 busybox
--dns 2001:DB8:0::1 busybox
--add-host a:1.2.3.4 --add-host b:::1 --add-host c:host-gateway busybox
--health-cmd 'curl -f x' --health-interval 5s --health-retries 3 --health-timeout 1m busybox
--health-start-period 1m30s --health-cmd true busybox
--health-interval 500ms busybox
--no-healthcheck busybox
--runtime runc busybox
--isolation default busybox
--disable-content-trust=false --disable-content-trust busybox
--platform linux/amd64 busybox
--platform linux/arm64/v8 busybox
--pull never busybox
--cidfile cid busybox
""".strip().splitlines()

REFUSED = """
--nope busybox
-z busybox
-iz busybox
--memory
-m
-m abc busybox
-m 1.5x busybox
--memory-swap abc busybox
--memory-swappiness 101 busybox
--cpus abc busybox
--cpus 0.0000000001 busybox
--cpu-shares abc busybox
--blkio-weight 70000 busybox
--blkio-weight -1 busybox
--rm=maybe busybox
--stop-timeout 1s busybox
-p abc busybox
-p 80:abc busybox
-p 70000 busybox
-p 1-2:3-5 busybox
-p 5-2 busybox
-p 80/foo busybox
-p 1.2.3:80:80 busybox
-p published busybox
--expose 80:80 busybox
--expose abc busybox
-e =x busybox
-e '' busybox
-l =x busybox
-a foo busybox
--ulimit nofile busybox
--ulimit nope=1 busybox
--ulimit nofile=a busybox
--ulimit nofile=2:1 busybox
--ulimit nofile=1:2:3 busybox
--device-cgroup-rule foo busybox
--device-read-bps /dev/sda busybox
--device-read-bps sda:1 busybox
--device-read-bps /dev/sda:x busybox
--device-read-iops /dev/sda:1m busybox
--blkio-weight-device /dev/sda:5 busybox
--device /a:/b:/c:/d busybox
--device /dev/null:/dev/zero:xyz busybox
--device null busybox
--mount type=bind,source=/a busybox
--mount foo busybox
--mount type=bind,src=/a,dst=/b,foo=bar busybox
--mount type=tmpfs,dst=/b,bind-propagation=shared busybox
--mount type=bind,src=/a,dst=/b,ro=maybe busybox
--mount type=tmpfs,dst=/b,tmpfs-size=x busybox
--mount type=tmpfs,dst=/b,tmpfs-mode=9 busybox
--mount type=,dst=/b busybox
--gpus x busybox
--gpus foo=bar busybox
--gpus count=1,count=2 busybox
--security-opt foo busybox
--security-opt seccomp=/nope.json busybox
--storage-opt foo busybox
--log-driver none --log-opt a=b busybox
--restart on-failure:x busybox
--restart always --rm busybox
--pid foo busybox
--pid container: busybox
--uts foo busybox
--userns foo busybox
--cgroupns foo busybox
--mac-address foo busybox
--dns foo busybox
--dns-search '-' busybox
--add-host foo busybox
--add-host foo:bar busybox
--sysctl foo=1 busybox
--link '' busybox
--link a:b:c busybox
--network mine --network name=mine busybox
--network name=a,foo=b busybox
--network none --network-alias x busybox
--health-interval abc busybox
--health-interval 5 busybox
--health-interval -5s busybox
--health-retries x busybox
--no-healthcheck --health-cmd x busybox
--env-file /nope busybox
--env-file bad busybox
""".strip().splitlines()

STRICTER = (
    "-p =80,target=1 busybox",
    "--restart :3 busybox",
    "--ip foo busybox",
    "--platform a/b/c/d busybox",
    "--pull sometimes busybox",
)
"""What 20.10 lets through and later releases refuse, or where only the words differ."""

OTHERS = """
ps
ps -a
ps -q -n 3 -f name=a -f name=b -f status=running
ps -s -l
images
images -a --digests -f dangling=true busybox
stop x
stop -t 3 x y
restart -t 3 x
kill x
kill -s HUP x
pause x
unpause x
rename x y
start x
rm x
rm -f -v x
rm -l x
rmi -f --no-prune x
tag x y
tag x registry.example.org:5000/a/y:z
commit -a me -m why -c 'CMD a' -c 'ENV b=c' -p=false x repo:1
exec -d -e A=b -w /x -u me --privileged x ls -la
update -m 1g --cpus 2 --restart always x
wait x
diff x
history x
system df
events --since 10 --until 20 --filter type=container
top x -o pid
pull x
pull busybox:1
pull -a x
pull --platform linux/arm64 registry.example.org/x@sha256:{digest}
"""
OTHER_LINES = OTHERS.strip().replace("{digest}", "0" * 64).splitlines()


def _docker() -> str | None:
    """A docker command line of release 20.10, whose flags are ours."""
    for path in (shutil.which("docker"), "/usr/bin/docker"):
        if path and os.path.exists(path):
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
            if " 20.10." in said.stdout:
                return path
    return None


DOCKER = _docker()
pytestmark = pytest.mark.skipif(DOCKER is None, reason="no docker command line of 20.10")


class Outcome(NamedTuple):
    """What a program asked, said on standard error, and its exit code."""

    asked: list[Asked]
    said: str
    code: int


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    with Recorder(tmp_path_factory.mktemp("socket") / "docker.sock") as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the command lines name, and an environment for both."""
    (tmp_path / "seccomp.json").write_text(SECCOMP)
    (tmp_path / "env").write_text(ENV_FILE)
    (tmp_path / "labels").write_text(LABEL_FILE)
    (tmp_path / "bad").write_text("a b=c\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{recorder.path}")
    monkeypatch.delenv("WHERRY_HOST", raising=False)
    monkeypatch.delenv("NOWHERE", raising=False)
    monkeypatch.setenv("INHERITED", "from here")
    return tmp_path


def run_docker(recorder: Recorder, words: list[str]) -> Outcome:
    assert DOCKER is not None
    done = subprocess.run(
        [DOCKER, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    Path("cid").unlink(missing_ok=True)
    return Outcome(recorder.taken(), done.stderr, done.returncode)


def run_wherry(recorder: Recorder, words: list[str], capfd: pytest.CaptureFixture[str]) -> Outcome:
    code = main(words)
    sys.stdout.flush()
    said = capfd.readouterr().err
    Path("cid").unlink(missing_ok=True)
    return Outcome(recorder.taken(), said, code)


def plain(asked: list[Asked]) -> list[Asked]:
    """Requests without what means nothing: order that comes from a map, empty values, /info."""
    return [
        item._replace(
            body=_ordered(item.body),
            query={name: values for name, values in item.query.items() if values != [""]},
        )
        for item in asked
        if item.path != "/info"
    ]


def differences(ours: object, theirs: object, at: str = "") -> list[str]:
    """Where two JSON values differ, field by field."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = []
        for name in sorted({*ours, *theirs}):
            one, other = ours.get(name, "(absent)"), theirs.get(name, "(absent)")
            found += differences(one, other, f"{at}.{name}")
        return found
    return [] if ours == theirs else [f"{at}: ours {ours!r}, docker's {theirs!r}"]


def _ordered(body: object) -> object:
    """Docker walks through maps where it reads -v and -e; an empty DriverConfig is its default."""
    if not isinstance(body, dict):
        return body
    host = body.get("HostConfig") or {}
    for holder, name in ((host, "Binds"), (body, "Env")):
        if isinstance(holder.get(name), list):
            holder[name].sort()
    for mount in host.get("Mounts") or []:
        options = mount.get("VolumeOptions", {})
        if options.get("DriverConfig") == {}:
            del options["DriverConfig"]
    return body


def told(item: Asked) -> Asked:
    """A request with only the fields that say something."""
    body = item.body
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if value} or None
    return item._replace(body=body)


@pytest.mark.parametrize("line", ACCEPTED)
def test_create_sends_what_docker_sends(
    line: str, recorder: Recorder, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["create", *shlex.split(line)]
    theirs = run_docker(recorder, words)
    ours = run_wherry(recorder, words, capfd)
    assert theirs.code == 0, theirs.said
    assert ours.code == 0, ours.said
    assert len(ours.asked) == len(theirs.asked) == 1
    mine, other = plain(ours.asked)[0], plain(theirs.asked)[0]
    assert differences(mine.body, other.body) == []
    assert mine == other


@pytest.mark.parametrize("line", REFUSED)
def test_refusals_are_worded_alike(
    line: str, recorder: Recorder, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["create", *shlex.split(line)]
    theirs = run_docker(recorder, words)
    ours = run_wherry(recorder, words, capfd)
    assert not theirs.asked
    assert not ours.asked
    assert ours.said.replace("wherry", "docker") == theirs.said
    assert ours.code == theirs.code


@pytest.mark.parametrize("line", OTHER_LINES)
def test_other_commands_ask_the_same(
    line: str, recorder: Recorder, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    theirs = run_docker(recorder, shlex.split(line))
    ours = run_wherry(recorder, shlex.split(line), capfd)
    assert theirs.asked
    # sorted: several things are done at the same time
    assert sorted(told(item) for item in plain(ours.asked)) == sorted(
        told(item) for item in plain(theirs.asked)
    )


@pytest.mark.parametrize("line", ["busybox", "-e HTTP_PROXY=own busybox", "-e no_proxy busybox"])
def test_proxies_of_the_configuration(
    line: str, recorder: Recorder, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (place / "config").mkdir()
    default = {"httpProxy": "http://p:1", "noProxy": "a,b"}
    settings = json.dumps({"proxies": {"default": default}})
    (place / "config/config.json").write_text(settings)
    words = ["create", *shlex.split(line)]
    theirs, ours = run_docker(recorder, words), run_wherry(recorder, words, capfd)
    assert plain(ours.asked) == plain(theirs.asked)


@pytest.mark.parametrize("line", STRICTER)
def test_what_makes_no_sense_is_not_sent(
    line: str, recorder: Recorder, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ours = run_wherry(recorder, ["create", *shlex.split(line)], capfd)
    assert not ours.asked
    assert ours.said
    assert ours.code != 0


@pytest.mark.parametrize(("given", "sent"), [("./rel:/b", "rel:/b"), ("../x:/b:ro", "../x:/b:ro")])
def test_relative_volumes_are_made_absolute(
    given: str, sent: str, recorder: Recorder, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ours = run_wherry(recorder, ["create", "-v", given, "busybox"], capfd)
    body = ours.asked[0].body
    assert isinstance(body, dict)
    source, _, rest = sent.partition(":")
    wanted = f"{os.path.normpath(place / source)}:{rest}"
    assert body["HostConfig"]["Binds"] == [wanted]


@pytest.mark.parametrize("line", ["-d busybox ls", "-d --rm busybox", "-dit busybox"])
def test_a_detached_run_creates_and_starts(
    line: str, recorder: Recorder, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["run", *shlex.split(line)]
    theirs, ours = run_docker(recorder, words), run_wherry(recorder, words, capfd)
    assert [item for item in ours.asked if not item.path.endswith("/wait")] == [
        item for item in theirs.asked if not item.path.endswith("/wait")
    ]
