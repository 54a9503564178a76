"""GET /version, /info, /events and /system/df."""

import os
import platform
import socket
from collections.abc import AsyncIterator

import wherry
from wherry.dockerapi import events as answers
from wherry.dockerapi import system
from wherry.dockerapi.filters import Filters
from wherry.engine import storage
from wherry.engine.containers.listing import list_containers
from wherry.engine.engine import Engine
from wherry.engine.events import Event
from wherry.engine.images.listing import Shown, list_images
from wherry.engine.volumes import with_usage
from wherry.kit import clock

API_VERSION = "1.51"
MIN_API_VERSION = "1.12"


async def version(engine: Engine) -> system.Version:
    """Who we are. `Platform.Name` and the components carry our own name and version."""
    build = wherry.__version__
    details = {
        "ApiVersion": API_VERSION,
        "Arch": engine.settings.platform.architecture,
        "KernelVersion": platform.release(),
        "BuildTime": "",
        "Experimental": "false",
        "GitCommit": "",
        "GoVersion": "",
        "MinAPIVersion": MIN_API_VERSION,
        "Os": "linux",
    }
    return system.Version(
        platform=system.PlatformName("wherry"),
        components=(system.Component("Engine", build, details),),
        version=build,
        api_version=API_VERSION,
        min_api_version=MIN_API_VERSION,
        os="linux",
        arch=engine.settings.platform.architecture,
        kernel_version=platform.release(),
    )


async def info(engine: Engine) -> system.Info:
    """What `docker info` shows: true of this engine, nothing invented."""
    statuses = [container.state.status for container in engine.containers]
    limits = engine.host.cgroup != "none"
    v1 = engine.host.cgroup == "v1"
    runtimes = {
        name: system.Runtime(words[0], words[1:]) for name, words in engine.settings.runtimes
    }
    return system.Info(
        id=engine.id,
        containers=len(statuses),
        containers_running=statuses.count("running"),
        containers_paused=statuses.count("paused"),
        containers_stopped=sum(each not in ("running", "paused") for each in statuses),
        images=len(list(engine.catalog)),
        driver=storage.driver_name(engine.snapshots),
        driver_status=(("Whiteouts", engine.snapshots.style), ("Ids", engine.host.ids)),
        plugins=system.Plugins(
            volume=("local",),
            network=("bridge", "host", "ipvlan", "macvlan", "null"),
            log=("journald", "json-file", "local", "none", "syslog"),
        ),
        memory_limit=limits,
        swap_limit=limits,
        cpu_cfs_period=limits,
        cpu_cfs_quota=limits,
        cpu_shares=limits,
        cpu_set=limits,
        pids_limit=limits,
        oom_kill_disable=v1,
        ipv4_forwarding=True,
        n_fd=len(os.listdir("/proc/self/fd")),
        n_goroutines=len(engine.tasks),
        n_events_listener=engine.bus.listeners,
        system_time=clock.rfc3339(clock.now()),
        cgroup_driver="cgroupfs" if limits else "none",
        cgroup_version={"v1": "1", "v2": "2", "none": ""}[engine.host.cgroup],
        bridge_nf_iptables=_calls_iptables("bridge-nf-call-iptables"),
        bridge_nf_ip6tables=_calls_iptables("bridge-nf-call-ip6tables"),
        kernel_version=platform.release(),
        operating_system=_operating_system(),
        os_version=_release().get("VERSION_ID", ""),
        architecture=os.uname().machine,
        registry_config=system.RegistryConfig(
            insecure_registry_cidrs=("127.0.0.0/8",),
            index_configs={
                "docker.io": system.IndexConfig(
                    "docker.io", engine.settings.registry_mirrors, official=True
                )
            },
            mirrors=engine.settings.registry_mirrors,
        ),
        ncpu=os.cpu_count() or 1,
        mem_total=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        docker_root_dir=engine.settings.root,
        name=socket.gethostname(),
        labels=engine.settings.labels,
        server_version=wherry.__version__,
        runtimes={"wherry": system.Runtime("wherry-runtime"), **runtimes},
        default_runtime=engine.settings.default_runtime,
        init_binary="docker-init",
        security_options=_security(engine),
        warnings=None if limits else ("WARNING: No cgroup support: limits are discarded",),
    )


def _security(engine: Engine) -> tuple[str, ...]:
    options = ["name=seccomp,profile=default"]
    if engine.host.apparmor:
        options.insert(0, "name=apparmor")
    if engine.host.ids != "real":
        options.append("name=rootless")
    if engine.host.cgroup == "v2":
        options.append("name=cgroupns")
    return tuple(options)


def _calls_iptables(name: str) -> bool:
    """Whether bridged packets pass the firewall; without the kernel's module they do not."""
    try:
        with open(f"/proc/sys/net/bridge/{name}", encoding="ascii") as file:
            return file.read().strip() == "1"
    except OSError:
        return False


def _release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def _operating_system() -> str:
    return _release().get("PRETTY_NAME", "Linux")


MEASURED = frozenset(("container", "image", "volume", "build-cache"))


async def df(engine: Engine, kinds: frozenset[str] = MEASURED) -> system.DiskUsage:
    """Sizes in bytes; a layer that several images share counts once.

    Nothing is measured of the kinds that are not asked for.
    """
    images = containers = volumes = None
    if "image" in kinds:
        images = tuple(await list_images(engine, Filters(), Shown(shared_size=True)))
    if "container" in kinds:
        containers = tuple(await list_containers(engine, True, 0, True, Filters()))
    if "volume" in kinds:
        volumes = await with_usage(engine)
    return system.DiskUsage(
        layers_size=_layers_size(engine) if "image" in kinds else 0,
        images=images,
        containers=containers,
        volumes=volumes,
    )


def _layers_size(engine: Engine) -> int:
    layers = {
        name: size
        for image in engine.catalog
        for name, size in zip(image.chain, image.layer_sizes, strict=True)
    }
    return sum(layers.values())


async def events(
    engine: Engine, since: int | None, until: int | None, filters: Filters
) -> AsyncIterator[answers.Event]:
    """Past events from `since` on, then new ones until `until`; times in ns.

    Without `since` only new ones; with an `until` that has passed, the stream ends at once.
    """

    async def replay() -> list[Event]:
        return [] if since is None else await engine.journal.past(since, until)

    async for happened in engine.bus.listen(replay, until):
        if _wanted(happened, filters):
            yield answers.event(
                happened.type,
                happened.action,
                answers.Actor(happened.id, happened.attributes),
                happened.time,
            )


_NAMED = ("container", "volume", "network", "daemon", "plugin")


def _wanted(happened: Event, filters: Filters) -> bool:
    labels = {k: v for k, v in happened.attributes.items() if k not in ("image", "name")}
    actions = filters.get("event")
    return (
        filters.exact("type", happened.type)
        and (not actions or any(happened.action.split(":")[0] == each for each in actions))
        and filters.exact("scope", "local")
        and filters.labels("label", labels)
        and all(_named(happened, filters, kind) for kind in _NAMED)
        and _of_image(happened, filters)
    )


def _named(happened: Event, filters: Filters, kind: str) -> bool:
    """As dockerd: the beginning of an id or a name, of an object of whatever type."""
    name = happened.attributes.get("name", "")
    return filters.prefix(kind, happened.id) or filters.prefix(kind, name)


def _of_image(happened: Event, filters: Filters) -> bool:
    """An image's own events, and those of containers made from it; with or without a tag."""
    if "image" not in filters:
        return True
    name = happened.attributes.get("name" if happened.type == "image" else "image", "")
    known = {happened.id, name, _without_tag(happened.id), _without_tag(name)}
    return bool(known & set(filters.get("image")))


def _without_tag(name: str) -> str:
    head, colon, tail = name.rpartition(":")
    return head if colon and "/" not in tail else name
