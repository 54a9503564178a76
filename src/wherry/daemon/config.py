"""`wherry daemon`: its command line, as values."""

import argparse
import os
import shutil
import sys
from typing import NamedTuple

import wherry
from wherry.api.server import Listener
from wherry.client.endpoint import default_socket
from wherry.daemon.listening import Listening
from wherry.daemon.tls import TlsFlags
from wherry.engine.settings import EngineSettings
from wherry.kit.errors import InvalidInput
from wherry.network.ipam import bridge_address


class DaemonConfig(NamedTuple):
    """What a daemon is started with."""

    settings: EngineSettings
    listeners: list[Listener]
    debug: bool


def default_root() -> str:
    """/var/lib/wherry for root, the XDG data folder for everyone else."""
    if os.geteuid() == 0:
        return "/var/lib/wherry"
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return os.path.join(data, "wherry")


def default_exec_root() -> str:
    """A folder on tmpfs: what is in it means nothing after a restart of the machine."""
    if os.geteuid() == 0:
        return "/run/wherry"
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return os.path.join(runtime, "wherry") if runtime else f"/tmp/wherry-{os.getuid()}"


def parser() -> argparse.ArgumentParser:
    """The flags, in dockerd's words where it has them."""
    flags = argparse.ArgumentParser(
        "wherry daemon", description="Run the engine in the foreground."
    )
    for add in (
        _add_listening,
        _add_tls,
        _add_folders,
        _add_registries,
        _add_runtimes,
        _add_bridge,
    ):
        add(flags)
    flags.add_argument("--label", action="append", default=[], metavar="KEY=VALUE")
    flags.add_argument("-D", "--debug", action="store_true", help="log more")
    flags.add_argument("--version", action="version", version=f"wherry {wherry.__version__}")
    return flags


def _add_listening(flags: argparse.ArgumentParser) -> None:
    flags.add_argument(
        "-H",
        "--host",
        action="append",
        metavar="URL",
        help="listen here: unix:///path, tcp://address:port, fd://[name] (repeatable)",
    )
    flags.add_argument(
        "-G",
        "--group",
        default="docker",
        metavar="NAME",
        help="who may use the unix socket beside its owner (default docker)",
    )
    flags.add_argument(
        "--insecure-tcp",
        action="store_true",
        help="allow tcp:// without client certificates: everyone who reaches it is root here",
    )


def _add_folders(flags: argparse.ArgumentParser) -> None:
    flags.add_argument("--root", help="what must last: images, containers, volumes, the ledger")
    flags.add_argument("--data-root", dest="root", help=argparse.SUPPRESS)
    flags.add_argument("--exec-root", help="run-time state; keep it on a tmpfs")


def _add_registries(flags: argparse.ArgumentParser) -> None:
    flags.add_argument(
        "--registry-mirror",
        action="append",
        default=[],
        metavar="URL",
        help="ask this mirror before Docker Hub (repeatable)",
    )
    flags.add_argument(
        "--insecure-registry",
        action="append",
        default=[],
        metavar="HOST[:PORT]",
        help="speak HTTP or unverified TLS with this registry (repeatable)",
    )


def _add_runtimes(flags: argparse.ArgumentParser) -> None:
    flags.add_argument(
        "--add-runtime",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="another OCI runtime (runc, crun); those on PATH are known already",
    )
    flags.add_argument("--default-runtime", default="wherry", metavar="NAME")
    flags.add_argument(
        "--cdi-spec-dir",
        action="append",
        metavar="DIR",
        help="descriptions of devices (CDI), instead of /etc/cdi and /var/run/cdi (repeatable)",
    )


def _add_bridge(flags: argparse.ArgumentParser) -> None:
    flags.add_argument(
        "-b",
        "--bridge",
        default="wherry0",
        metavar="NAME",
        help="the default bridge; none for no default bridge",
    )
    flags.add_argument(
        "--bip",
        default="",
        metavar="CIDR",
        help="the default bridge's address; else from the first free one of Docker's pools",
    )


def _add_tls(flags: argparse.ArgumentParser) -> None:
    flags.add_argument("--tls", action="store_true", help="use TLS; implied by --tlsverify")
    flags.add_argument(
        "--tlsverify", action="store_true", help="let only clients in whose certificate is ours"
    )
    for name, what in (
        ("ca", "the authority whose client certificates are trusted"),
        ("", "the server's certificate"),
    ):
        flags.add_argument(f"--tls{name}cert", metavar="FILE", help=what)
    flags.add_argument("--tlskey", metavar="FILE", help="the server's key")


def read(argv: list[str]) -> DaemonConfig:
    """Raises InvalidInput; a wrong flag ends the process with 2, as argparse does."""
    given = parser().parse_args(argv)
    if given.bip:
        bridge_address(given.bip)
    hosts = given.host or [f"unix://{default_socket()}"]
    settings = EngineSettings(
        root=os.path.abspath(given.root or default_root()),
        exec_root=os.path.abspath(given.exec_root or default_exec_root()),
        runtimes=tuple(_runtimes(given.add_runtime)),
        default_runtime=given.default_runtime,
        cdi_folders=tuple(given.cdi_spec_dir or EngineSettings._field_defaults["cdi_folders"]),
        registry_mirrors=tuple(given.registry_mirror),
        insecure_registries=tuple(given.insecure_registry),
        bridge="" if given.bridge == "none" else given.bridge,
        bridge_subnet=given.bip,
        labels=tuple(given.label),
    )
    return DaemonConfig(settings, _listening(given).listeners(hosts), given.debug)


def _listening(given: argparse.Namespace) -> Listening:
    verify = given.tlsverify or bool(os.environ.get("DOCKER_TLS_VERIFY"))
    files = (given.tlscacert or "", given.tlscert or "", given.tlskey or "")
    return Listening(
        TlsFlags(given.tls, verify, *files), insecure=given.insecure_tcp, group=given.group
    )


def _runtimes(given: list[str]) -> list[tuple[str, tuple[str, ...]]]:
    found = {
        name: (path,)
        for name in ("runc", "crun", "runsc")
        if (path := shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"))
    }
    for text in given:
        name, equals, path = text.partition("=")
        if not equals or not os.access(path, os.X_OK):
            raise InvalidInput(f"--add-runtime {text}: want NAME=/path/of/a/program")
        found[name] = (path,)
    return list(found.items())


if sys.platform != "linux":
    raise ImportError("the wherry daemon needs Linux; its client runs elsewhere too")
