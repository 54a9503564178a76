"""`--tls…`: the daemon's side of TLS, as dockerd's flags say it."""

import logging
import os
import ssl
from typing import NamedTuple

from wherry.kit.errors import InvalidInput

log = logging.getLogger(__name__)


class TlsFlags(NamedTuple):
    """What was asked for; a path is empty where the flag was not given."""

    on: bool = False
    verify: bool = False
    authority: str = ""
    certificate: str = ""
    key: str = ""


def context(flags: TlsFlags) -> ssl.SSLContext | None:
    """None without TLS. With `verify` only clients with the authority's certificate get in.

    Files that are not named are looked for in DOCKER_CERT_PATH or ~/.docker, as dockerd does.
    Raises InvalidInput, which names the file.
    """
    if not (flags.on or flags.verify):
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION
    _load_own(made, _place(flags.certificate, "cert"), _place(flags.key, "key"))
    if flags.verify:
        made.verify_mode = ssl.CERT_REQUIRED
        _load_authority(made, _place(flags.authority, "ca"))
    return made


def _place(given: str, name: str) -> str:
    folder = os.environ.get("DOCKER_CERT_PATH") or os.path.expanduser("~/.docker")
    return given or f"{folder}/{name}.pem"


def _load_own(made: ssl.SSLContext, certificate: str, key: str) -> None:
    for flag, path in (("--tlscert", certificate), ("--tlskey", key)):
        _check_readable(flag, path)
    if os.stat(key).st_mode & 0o077:
        log.warning("--tlskey %s can be read by others: chmod 0600 it", key)
    try:
        made.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        raise InvalidInput(
            f"--tlscert {certificate} and --tlskey {key} do not fit: {error.reason or error}"
        ) from error


def _load_authority(made: ssl.SSLContext, path: str) -> None:
    _check_readable("--tlscacert", path)
    try:
        made.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        raise InvalidInput(f"--tlscacert {path}: {error.reason or error}") from error


def _check_readable(flag: str, path: str) -> None:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        raise InvalidInput(
            f"{flag} {path}: {(error.strerror or '').lower()}; `wherry tls init HOST` makes one"
        ) from error
