"""`wherry version`."""

import sys
from collections.abc import Iterator

from wherry import __version__
from wherry.cli.command import Arity, Command
from wherry.cli.flags import text
from wherry.cli.session import Session
from wherry.cli.system.formatting import formatted
from wherry.client import client as clients
from wherry.client import system
from wherry.client.document import Document, Json
from wherry.kit.errors import WherryError
from wherry.oci import platform as platforms

_SERVER = (
    ("Version", "Version"),
    ("API version", "ApiVersion"),
    ("Go version", "GoVersion"),
    ("Git commit", "GitCommit"),
    ("Built", "BuildTime"),
)


def version(session: Session, arguments: list[str], *, format: str) -> None:
    """Show version information of this program and of the engine."""
    del arguments
    problem: WherryError | None = None
    server = Document({})
    try:
        server = system.version(session.client)
    except WherryError as error:
        problem = error
    ours = _client(session, reachable=problem is None)
    if format:
        told: dict[str, Json] = {"Client": ours, "Server": dict(server.raw) or None}
        session.print(formatted(told, format))
    else:
        session.write("\n".join(_pretty(Document(ours), server)) + "\n")
    if problem is not None:
        raise problem


def _client(session: Session, *, reachable: bool) -> dict[str, Json]:
    newest = ".".join(str(part) for part in clients.MAX_VERSION)
    host = platforms.host()
    return {
        "Version": __version__,
        "ApiVersion": session.client.version if reachable else newest,
        "DefaultAPIVersion": newest,
        "PythonVersion": sys.version.split()[0],
        "Os": host.os,
        "Arch": host.architecture,
        "Context": session.context,
    }


def _pretty(client: Document, server: Document) -> Iterator[str]:
    used, newest = client.text("ApiVersion"), client.text("DefaultAPIVersion")
    yield "Client:"
    yield _line("Version", client.text("Version"))
    yield _line("API version", used if used == newest else f"{used} (downgraded from {newest})")
    yield _line("Python version", client.text("PythonVersion"))
    yield _line("OS/Arch", f"{client.text('Os')}/{client.text('Arch')}")
    yield _line("Context", client.text("Context"))
    if server.raw:
        yield ""
        yield from _pretty_server(server)


def _pretty_server(server: Document) -> Iterator[str]:
    platform = server.text("Platform", "Name")
    yield f"Server: {platform}" if platform else "Server:"
    components = server.children("Components")
    engine = next((item.text("Name") for item in components if item.text("Name")), "Engine")
    yield f" {engine}:"
    for label, field in _SERVER:
        value = server.text(field)
        if field == "BuildTime" and components:
            value = components[0].text("Details", field) or value
        if field == "ApiVersion" and server.text("MinAPIVersion"):
            value += f" (minimum version {server.text('MinAPIVersion')})"
        if value:
            yield _line(label, value, indent=2)
    yield _line("OS/Arch", f"{server.text('Os')}/{server.text('Arch')}", indent=2)
    yield _line("Experimental", str(server.flag("Experimental")).lower(), indent=2)
    for item in components[1:]:
        yield from _component(item)


def _component(item: Document) -> Iterator[str]:
    yield f" {item.text('Name')}:"
    yield _line("Version", item.text("Version"), indent=2)
    for name, value in item.mapping("Details").items():
        yield _line(name, value, indent=2)


def _line(label: str, value: str, *, indent: int = 1) -> str:
    return (" " * indent + f"{label}:").ljust(20) + value


command = Command(
    "version",
    version,
    "Show version information",
    arity=Arity(0, 0),
    flags=(text("format f", "Format the output using the given Go template"),),
)
