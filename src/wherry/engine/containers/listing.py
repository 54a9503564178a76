"""GET /containers/json."""

from collections.abc import Callable, Iterable

import msgspec

from wherry.dockerapi.container_answers import (
    ContainerSummary,
    SummaryHostConfig,
    SummaryNetworkSettings,
)
from wherry.dockerapi.endpoints import EndpointSettings
from wherry.dockerapi.filters import CONTAINERS, Filters
from wherry.engine.containers import answers, health
from wherry.engine.containers.container import Container
from wherry.engine.containers.inspect import sizes
from wherry.engine.engine import Engine
from wherry.engine.records import ContainerRecord, StateRecord
from wherry.kit import clock
from wherry.kit.errors import InvalidInput

_STATUSES = ("created", "restarting", "running", "removing", "paused", "exited", "dead")
_HEALTH = ("starting", "healthy", "unhealthy", "none")


async def list_containers(
    engine: Engine, all: bool, limit: int, size: bool, filters: Filters
) -> list[ContainerSummary]:
    """Newest first. Raises InvalidInput for filters that make no sense."""
    filters.check(CONTAINERS)
    wanted = _selector(engine, filters) if filters else _everything
    names: dict[str, str | None] = {}
    show_all = all or limit > 0 or "status" in filters or "exited" in filters
    chosen = [
        container
        for container in sorted(engine.containers, key=lambda each: -each.record.created)
        if (show_all or container.running) and wanted(container)
    ]
    if limit > 0:
        chosen = chosen[:limit]
    linked = link_names(container.record for container in engine.containers)
    return [await _summary(engine, container, size, names, linked) for container in chosen]


def link_names(records: Iterable[ContainerRecord]) -> dict[str, list[str]]:
    """Ids to what the containers are called in the links of others. Pure."""
    found: dict[str, list[str]] = {}
    for record in records:
        for link in record.links:
            found.setdefault(link.container, []).append(f"/{record.name}/{link.alias}")
    return found


def _everything(container: Container) -> bool:
    del container
    return True


def _selector(engine: Engine, filters: Filters) -> Callable[[Container], bool]:
    for status in filters.get("status"):
        if status not in _STATUSES:
            raise InvalidInput(
                f"Unrecognised filter value for status: '{status}'. Valid options are: "
                + ", ".join(_STATUSES)
            )
    for word in filters.get("health"):
        if word not in _HEALTH:
            raise InvalidInput(f"Unrecognised filter value for health: {word}")
    for code in filters.get("exited"):
        if not code.lstrip("-").isdigit():
            raise InvalidInput(f"invalid exit code in filter: {code!r}")
    before = [engine.containers.find(ref).record.created for ref in filters.get("before")]
    since = [engine.containers.find(ref).record.created for ref in filters.get("since")]
    tasks = filters.boolean("is-task", False)  # of a swarm, and there is none
    ancestors = {engine.catalog.id_or_none(name) for name in filters.get("ancestor")}

    def wanted(container: Container) -> bool:
        record = container.record
        return (
            not tasks
            and filters.prefix("id", record.id)
            and (filters.match("name", record.name) or filters.match("name", f"/{record.name}"))
            and filters.labels("label", record.request.labels or {})
            and filters.exact("status", record.state.status)
            and _exited(filters, record.state)
            and all(record.created < each for each in before)
            and all(record.created > each for each in since)
            and (not ancestors or record.image in ancestors)
            and _has_volume(filters, record)
            and _has_network(filters, record)
            and _has_port(filters, record)
            and filters.exact("health", health.word(record.state))
        )

    return wanted


def _networks(record: ContainerRecord) -> dict[str, EndpointSettings]:
    """As inspect has them, without the names, as dockerd's list."""
    return {
        name: msgspec.structs.replace(settings, aliases=None, dns_names=None)
        for name, settings in answers.networks(record).items()
    }


def _exited(filters: Filters, state: StateRecord) -> bool:
    if "exited" not in filters:
        return True
    return state.status == "exited" and filters.exact("exited", str(state.exit_code))


def _has_volume(filters: Filters, record: ContainerRecord) -> bool:
    known = {each for point in record.mounts for each in (point.name, point.destination)}
    wanted = filters.get("volume")
    return not wanted or any(each in known for each in wanted)


def _has_network(filters: Filters, record: ContainerRecord) -> bool:
    wanted = filters.get("network")
    return not wanted or any(
        each == place.network or place.network_id.startswith(each)
        for each in wanted
        for place in record.endpoints
    )


def _has_port(filters: Filters, record: ContainerRecord) -> bool:
    published = {
        f"{port.container_port}/{port.protocol}"
        for place in record.endpoints
        for port in place.ports
    }
    exposed = set(record.request.exposed_ports or {})
    return _any_port(filters.get("publish"), published) and _any_port(
        filters.get("expose"), exposed
    )


def _any_port(wanted: tuple[str, ...], known: set[str]) -> bool:
    return not wanted or any(
        each in known or f"{each.partition('/')[0]}/{each.partition('/')[2] or 'tcp'}" in known
        for each in wanted
    )


async def _summary(
    engine: Engine,
    container: Container,
    size: bool,
    names: dict[str, str | None],
    linked: dict[str, list[str]],
) -> ContainerSummary:
    record = container.record
    writable, total = await sizes(engine, record) if size else (0, 0)
    return ContainerSummary(
        id=record.id,
        names=(*linked.get(record.id, ()), f"/{record.name}"),
        image=_image_name(engine, record, names),
        image_id=record.image,
        command=command_text(record),
        created=record.created // clock.SECOND,
        ports=answers.ports(record),
        size_rw=writable,
        size_root_fs=total,
        labels=record.request.labels or {},
        state=record.state.status,
        status=status_text(record.state, clock.now()),
        host_config=SummaryHostConfig(
            network_mode=record.request.host_config.network_mode,
            annotations=record.request.host_config.annotations,
        ),
        network_settings=SummaryNetworkSettings(_networks(record)),
        mounts=tuple(answers.mount(point) for point in record.mounts if point.type != "tmpfs"),
    )


def command_text(record: ContainerRecord) -> str:
    """The command line in one string; arguments with spaces in quotes, as dockerd writes them."""
    program, *rest = [*(record.request.entrypoint or []), *(record.request.cmd or [])]
    return " ".join([program, *(f"'{word}'" if " " in word else word for word in rest)])


def _image_name(engine: Engine, record: ContainerRecord, names: dict[str, str | None]) -> str:
    """The name it was created by, while that still means the same image; else the id.

    `names` remembers what a name means: a list asks for the same few again and again.
    """
    name = record.image_reference
    if name not in names:
        names[name] = engine.catalog.id_or_none(name)
    return name if names[name] == record.image else record.image


def status_text(state: StateRecord, now: int) -> str:
    """`Up 5 minutes (Paused)`, `Exited (0) 2 hours ago`, `Created`."""
    if state.status in ("running", "paused"):
        since = human_duration((now - (state.started_at or now)) // clock.SECOND)
        return f"Up {since}{_remark(state)}"
    if state.status == "restarting":
        since = human_duration((now - (state.finished_at or now)) // clock.SECOND)
        return f"Restarting ({state.exit_code}) {since} ago"
    if state.status == "exited":
        since = human_duration((now - (state.finished_at or now)) // clock.SECOND)
        return f"Exited ({state.exit_code}) {since} ago"
    return {"created": "Created", "removing": "Removal In Progress"}.get(state.status, "Dead")


def _remark(state: StateRecord) -> str:
    if state.status == "paused":
        return " (Paused)"
    found = health.word(state)
    return {"none": "", "starting": " (health: starting)"}.get(found, f" ({found})")


_STEPS = (
    (1, "Less than a second", 0),
    (2, "1 second", 0),
    (60, "seconds", 1),
    (120, "About a minute", 0),
    (46 * 60, "minutes", 60),
    (90 * 60, "About an hour", 0),
    (48 * 3600, "hours", 3600),
    (14 * 86400, "days", 86400),
    (60 * 86400, "weeks", 7 * 86400),
    (2 * 365 * 86400, "months", 30 * 86400),
)


def human_duration(seconds: int) -> str:
    """The way Docker says how long something took (go-units' steps)."""
    for limit, word, unit in _STEPS:
        if seconds < limit:
            return f"{_rounded(seconds, unit)} {word}" if unit else word
    return f"{seconds // (365 * 86400)} years"


def _rounded(seconds: int, unit: int) -> int:
    """Hours are rounded to the nearest, as go-units does; the rest is cut."""
    return (seconds + 1800) // 3600 if unit == 3600 else seconds // unit
