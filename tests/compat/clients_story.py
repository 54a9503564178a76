"""What testcontainers and python-on-whales see of an engine, as JSON: `python … NAME`.

Run by test_clients.py in the engine's network namespace with DOCKER_HOST set, so that published
ports can be reached at localhost.
"""

import json
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path

SERVE = [
    "sh",
    "-c",
    "echo starting; echo hello >/index.html; echo serving; exec httpd -f -p 80 -h /",
]


def generic() -> dict[str, object]:
    """A container with variables, a volume, a tmpfs, files copied in and out."""
    from testcontainers.core.container import DockerContainer

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "given").write_text("from the host")
        container = (
            DockerContainer("plain")
            .with_command(["sh", "-c", "echo to-out; echo to-err >&2; exec sleep 1000"])
            .with_env("A", "b")
            .with_volume_mapping(name, "/bound")
            .with_tmpfs_mount("/scratch", "size=1m")
            .with_kwargs(labels={"x": "y"})
        )
        with container as running:
            running.copy_into_container(b"copied", "/copied")
            running.copy_from_container("/copied", folder / "back")
            script = "echo $A; cat /bound/given /copied; df -k /scratch | tail -1; exit 3"
            done = running.exec(["sh", "-c", script])
            return {
                "code": done.exit_code,
                "output": done.output.decode().split(),
                "back": (folder / "back").read_text(),
                "status": running.status,
                "logs": [part.decode() for part in running.get_logs()],
                "labels": running.get_wrapped_container().labels.get("x"),
            }


def strategies() -> dict[str, object]:
    """Every way to wait until a container is ready."""
    from testcontainers.core import wait_strategies as waits
    from testcontainers.core.container import DockerContainer

    check = {"test": ["CMD-SHELL", "test -f /index.html"], "interval": 200_000_000}
    found: dict[str, object] = {}
    for strategy in (
        waits.LogMessageWaitStrategy("serving"),
        waits.HttpWaitStrategy(80, "/index.html").for_status_code(200),
        waits.PortWaitStrategy(80),
        waits.HealthcheckWaitStrategy(),
        waits.ContainerStatusWaitStrategy(),
        waits.ExecWaitStrategy(["test", "-f", "/index.html"]),
        waits.CompositeWaitStrategy(
            waits.LogMessageWaitStrategy("starting"), waits.PortWaitStrategy(80)
        ),
    ):
        container = DockerContainer("plain").with_command(SERVE).with_exposed_ports(80)
        container = container.with_kwargs(healthcheck=check).waiting_for(strategy)
        with container as running:
            found[type(strategy).__name__] = running.status
    return found


def networks() -> dict[str, object]:
    """Two containers that know each other by alias, one of them published."""
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.network import Network
    from testcontainers.core.wait_strategies import HttpWaitStrategy, LogMessageWaitStrategy

    with Network() as network:
        server = DockerContainer("plain").with_command(SERVE).with_exposed_ports(80)
        server = server.with_network(network).with_network_aliases("web", "www")
        server = server.waiting_for(HttpWaitStrategy(80, "/index.html"))
        client = (
            DockerContainer("plain")
            .with_network(network)
            .with_command(
                ["sh", "-c", "wget -qO- http://www/index.html; echo fetched; exec sleep 1000"]
            )
            .waiting_for(LogMessageWaitStrategy("fetched"))
        )
        with server as serving, client as asking:
            port = serving.get_exposed_port(80)
            url = f"http://{serving.get_container_host_ip()}:{port}/index.html"
            with urllib.request.urlopen(url, timeout=30) as answer:
                published = answer.read().decode()
            return {"inside": asking.get_logs()[0].decode(), "published": published}


def whales() -> dict[str, object]:
    """python-on-whales: the docker command line's answers as objects."""
    import python_on_whales

    docker = python_on_whales.DockerClient()
    network, volume = docker.network.create("whales"), docker.volume.create("whales")
    container = docker.run(
        "plain", ["sh", "-c", "echo up; echo kept >/vol/file; exec sleep 1000"], detach=True,
        name="whale", networks=["whales"], volumes=[("whales", "/vol")], envs={"A": "b"},
        labels={"x": "y"}, publish=[(0, 80)], memory="64m", restart="on-failure:2",
    )  # fmt: skip
    try:
        seen = _seen(docker, container)
        container.stop(time=0)
        container.start()
        seen["restarted"] = container.state.running
        return seen
    finally:
        container.remove(force=True, volumes=True)
        network.remove()
        volume.remove()


def _seen(docker: "object", container: "object") -> dict[str, object]:
    import python_on_whales

    assert isinstance(docker, python_on_whales.DockerClient)
    assert isinstance(container, python_on_whales.Container)
    with tempfile.TemporaryDirectory() as folder:
        docker.copy((container, "/vol/file"), f"{folder}/file")
        copied = Path(f"{folder}/file").read_text()
    return {
        "execute": docker.execute(container, ["sh", "-c", "echo $A; cat /vol/file"]),
        "copied": copied,
        "logs": docker.logs(container),
        "name": container.name,
        "memory": container.host_config.memory,
        "policy": container.host_config.restart_policy.maximum_retry_count,
        "labels": container.config.labels,
        "networks": sorted(container.network_settings.networks),
        "mounts": [(mount.type, str(mount.destination)) for mount in container.mounts],
        "ports": sorted(container.network_settings.ports),
        "listed": [each.name for each in docker.ps(filters={"label": "x=y"})],
        "volumes": [each.name for each in docker.volume.list(filters={"name": "whales"})],
        "image": docker.image.inspect("plain").repo_tags,
        "stats": docker.stats(container)[0].container_name,
        "exists": docker.container.exists("whale"),
    }


STORIES: dict[str, Callable[[], dict[str, object]]] = {
    "generic": generic,
    "strategies": strategies,
    "networks": networks,
    "whales": whales,
}

if __name__ == "__main__":
    print(json.dumps(STORIES[sys.argv[1]]()))
