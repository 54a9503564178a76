"""`wherry info`."""

from collections.abc import Iterator

from wherry import __version__
from wherry.cli.command import Arity, Command
from wherry.cli.flags import text
from wherry.cli.session import Session
from wherry.cli.system.formatting import formatted
from wherry.client import system
from wherry.client.document import Document, Json
from wherry.kit.errors import WherryError
from wherry.kit.units import human_size_binary


def info(session: Session, arguments: list[str], *, format: str) -> None:
    """Display system-wide information."""
    del arguments
    client = [
        "Client:",
        f" Version:    {__version__}",
        f" Context:    {session.context}",
        f" Debug Mode: {_yes(session.debug)}",
        "",
        "Server:",
    ]
    try:
        found = system.info(session.client)
    except WherryError:
        if not format:
            session.print("\n".join(client))
        raise
    if format:
        told: dict[str, Json] = {**found.raw, "ClientInfo": {"Context": session.context}}
        session.print(formatted(told, format))
        return
    session.print("\n".join([*client, *_lines(found), ""]))
    for warning in found.texts("Warnings"):
        session.complain(warning)


def _yes(value: bool) -> str:
    return "true" if value else "false"


def _lines(found: Document) -> Iterator[str]:
    yield from _counts(found)
    yield from _drivers(found)
    yield from _runtimes(found)
    yield from _machine(found)
    yield from _settings(found)


def _counts(found: Document) -> Iterator[str]:
    yield f" Containers: {found.number('Containers')}"
    for state in ("Running", "Paused", "Stopped"):
        yield f"  {state}: {found.number(f'Containers{state}')}"
    yield f" Images: {found.number('Images')}"
    yield from _named(found, "Server Version", "ServerVersion")


def _named(found: Document, label: str, field: str) -> Iterator[str]:
    if found.text(field):
        yield f" {label}: {found.text(field)}"


def _drivers(found: Document) -> Iterator[str]:
    yield from _named(found, "Storage Driver", "Driver")
    status = found.value("DriverStatus")
    for pair in status if isinstance(status, list) else []:
        if isinstance(pair, list) and len(pair) == 2:
            yield f"  {pair[0]}: {pair[1]}"
    yield from _named(found, "Logging Driver", "LoggingDriver")
    yield from _named(found, "Cgroup Driver", "CgroupDriver")
    yield from _named(found, "Cgroup Version", "CgroupVersion")
    yield " Plugins:"
    for kind in ("Volume", "Network", "Authorization", "Log"):
        names = found.texts("Plugins", kind)
        if names or kind != "Authorization":
            yield f"  {kind}: {' '.join(names)}"
    yield f" Swarm: {found.text('Swarm', 'LocalNodeState') or 'inactive'}"


def _runtimes(found: Document) -> Iterator[str]:
    runtimes = found.child("Runtimes").raw
    if runtimes:
        yield f" Runtimes: {' '.join(sorted(runtimes))}"
        yield f" Default Runtime: {found.text('DefaultRuntime')}"
    yield from _named(found, "Init Binary", "InitBinary")
    for name, field in (("containerd", "Containerd"), ("runc", "Runc"), ("init", "Init")):
        if found.text(f"{field}Commit", "ID"):
            yield f" {name} version: {found.text(f'{field}Commit', 'ID')}"
    options = found.texts("SecurityOptions")
    if options:
        yield " Security Options:"
    for option in options:
        fields = dict(part.partition("=")[::2] for part in option.split(","))
        yield f"  {fields.get('name', option)}"
        if "profile" in fields:
            yield f"   Profile: {fields['profile']}"


def _machine(found: Document) -> Iterator[str]:
    yield from _named(found, "Kernel Version", "KernelVersion")
    yield from _named(found, "Operating System", "OperatingSystem")
    yield from _named(found, "OSType", "OSType")
    yield from _named(found, "Architecture", "Architecture")
    yield f" CPUs: {found.number('NCPU')}"
    yield f" Total Memory: {human_size_binary(found.number('MemTotal'))}"
    yield from _named(found, "Name", "Name")
    yield from _named(found, "ID", "ID")
    yield f" Docker Root Dir: {found.text('DockerRootDir')}"
    yield f" Debug Mode: {_yes(found.flag('Debug'))}"


def _settings(found: Document) -> Iterator[str]:
    yield from _named(found, "HTTP Proxy", "HttpProxy")
    yield from _named(found, "HTTPS Proxy", "HttpsProxy")
    yield from _named(found, "No Proxy", "NoProxy")
    yield from _named(found, "Registry", "IndexServerAddress")
    yield " Labels:"
    for label in found.texts("Labels"):
        yield f"  {label}"
    yield f" Experimental: {_yes(found.flag('ExperimentalBuild'))}"
    registries = found.child("RegistryConfig")
    yield " Insecure Registries:"
    for name, entry in registries.child("IndexConfigs").raw.items():
        if isinstance(entry, dict) and not entry.get("Secure"):
            yield f"  {name}"
    for cidr in registries.texts("InsecureRegistryCIDRs"):
        yield f"  {cidr}"
    mirrors = registries.texts("Mirrors")
    if mirrors:
        yield " Registry Mirrors:"
        yield from (f"  {mirror}" for mirror in mirrors)
    yield f" Live Restore Enabled: {_yes(found.flag('LiveRestoreEnabled'))}"


command = Command(
    "info",
    info,
    "Display system-wide information",
    arity=Arity(0, 0),
    flags=(text("format f", "Format the output using the given Go template"),),
)
