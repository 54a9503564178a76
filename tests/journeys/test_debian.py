"""Debian's packages, unchanged, in a container: also where there is one id only."""

import os
import time
from collections.abc import Iterator

import pytest

from tests.journeys.debian import cache
from tests.journeys.engine import Engine, engine

SOURCE = (
    "rm -f /etc/apt/sources.list.d/*; echo 'deb [trusted=yes] file:/repo ./' >/etc/apt/sources.list"
)
INSTALL = "apt-get -q update && apt-get -qy install --no-install-recommends"
QUIET = ("-e", "DEBIAN_FRONTEND=noninteractive")
DROPPED = "CapEff:\t0000000000000000"


@pytest.fixture(scope="module")
def host() -> Iterator[Engine]:
    made = cache()
    with engine() as running:
        running.run("import", str(made.image), "debian:base")
        yield running


@pytest.fixture(scope="module")
def debian(host: Engine) -> Iterator[str]:
    """A running container with the packages, installed by apt-get with nothing switched off."""
    bind = f"{cache().repository}:/repo:ro"
    host.run(
        "run", "-d", "--init", "--name", "deb", "--network", "none", "-v", bind, *QUIET,
        "debian:base", "sleep", "100000",
    )  # fmt: skip
    host.run("exec", "deb", "sh", "-c", SOURCE)
    packages = "gosu nginx-light openssh-server postgresql redis-server sudo"
    done = host.run("exec", "deb", "sh", "-c", f"{INSTALL} {packages} 2>&1")
    assert "Could not switch" not in done.stdout
    yield "deb"
    host.run("rm", "-f", "deb")


def inside(host: Engine, script: str, *options: str) -> str:
    return host.out("exec", *options, "deb", "bash", "-c", script)


def ids(host: Engine, *options: str) -> str:
    return inside(host, "echo $(id -un) $(id -gn) $(stat -c %U $HOME)", *options)


def test_packages_are_installed_and_configured(host: Engine, debian: str) -> None:
    listed = inside(
        host, "dpkg-query -W -f '${Package} ${db:Status-Status}\\n' nginx postgresql sudo"
    )
    assert listed.splitlines() == ["nginx installed", "postgresql installed", "sudo installed"]
    assert inside(host, "dpkg --audit") == ""
    assert "main" in inside(host, "pg_lsclusters -h")


def test_programs_that_change_their_user_are_that_user(host: Engine, debian: str) -> None:
    for program in (
        "su www-data -s /bin/bash -c",
        "runuser -u www-data -- bash -c",
        "setpriv --reuid www-data --regid www-data --clear-groups bash -c",
        "gosu www-data bash -c",  # several threads: it changes with its next program
        "sudo -u www-data bash -c",
        "chroot --userspec www-data:www-data / bash -c",
    ):
        said = inside(host, f"{program} 'id -un; id -gn; grep CapEff /proc/self/status'")
        assert said.splitlines() == ["www-data", "www-data", DROPPED], program


def test_nobody_becomes_root_again(host: Engine, debian: str) -> None:
    script = "POSIX::setuid(33) or die; print POSIX::setuid(0) ? q(back) : q(no: ) . $!"
    said = inside(host, f"perl -MPOSIX -e '{script}'")
    assert said == "no: Operation not permitted"


def test_nginx_serves(host: Engine, debian: str) -> None:
    inside(host, "nginx")
    ask = "exec 3<>/dev/tcp/127.0.0.1/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; head -1 <&3"
    assert "200 OK" in inside(host, ask)
    worker = inside(host, "cat /proc/$(pgrep -f 'nginx: worker' | head -1)/status | grep CapEff")
    assert worker == DROPPED
    inside(host, "nginx -s stop")


def test_postgres_answers(host: Engine, debian: str) -> None:
    """With one id the key of Debian's snake-oil certificate seems to be postgres's own: no TLS."""
    inside(host, "pg_ctlcluster 15 main start -o -cssl=off", "-u", "postgres")
    query = "psql -Atc 'create table t (x int); insert into t values (42); select x from t'"
    assert inside(host, query, "-u", "postgres").splitlines()[-1] == "42"
    assert inside(host, "su postgres -c \"psql -Atc 'select x from t'\"") == "42"
    inside(host, "pg_ctlcluster 15 main stop", "-u", "postgres")


def test_redis_and_sshd_start(host: Engine, debian: str) -> None:
    inside(host, "service redis-server start")
    until = time.monotonic() + 10
    while inside(host, "redis-cli ping 2>&1; true") != "PONG":
        assert time.monotonic() < until
        time.sleep(0.1)
    inside(
        host, "mkdir -p /run/sshd; /usr/sbin/sshd; until [ -s /run/sshd.pid ]; do sleep 0.1; done"
    )
    ask = "exec 3<>/dev/tcp/127.0.0.1/22; head -1 <&3"
    assert inside(host, ask).startswith("SSH-2.0-")
    key = "ssh-keygen -qt ed25519 -N '' -f id && cp id.pub authorized_keys"
    inside(host, f"mkdir -pm 700 /root/.ssh && cd /root/.ssh && {key}")
    login = (
        "ssh -i /root/.ssh/id -o StrictHostKeyChecking=no -o LogLevel=ERROR root@127.0.0.1 id -un"
    )
    assert inside(host, login) == "root"


def test_exec_as_another_user_than_the_container(host: Engine, debian: str) -> None:
    assert ids(host, "-u", "www-data").split()[:2] == ["www-data", "www-data"]
    assert inside(host, "id -u", "-u", "1000") == "1000"
    words = ("run", "-d", "--name", "user", "-u", "1000:1000", "--network", "none", "debian:base")
    host.run(*words, "sleep", "100000")
    try:
        assert host.out("exec", "user", "id", "-u") == "1000"
        for root in ("0", "root"):
            assert host.out("exec", "-u", root, "user", "id", "-un") == "root"
        assert host.out("exec", "-u", "33:33", "user", "id", "-gn") == "www-data"
        touch = "touch /tmp/mine; stat -c %u /tmp/mine"
        assert host.out("exec", "user", "sh", "-c", touch) == "1000"
    finally:
        host.run("rm", "-f", "user")


def test_what_apt_installed_is_committed_with_its_owners(host: Engine, debian: str) -> None:
    host.run("commit", "deb", "debian:made")
    try:
        words = ("run", "--rm", "--network", "none", "debian:made")
        assert host.out(*words, "nginx", "-v") == ""
        if os.geteuid() == 0:
            assert host.out(*words, "stat", "-c", "%U", "/var/lib/postgresql") == "postgres"
    finally:
        host.run("rmi", "debian:made")
