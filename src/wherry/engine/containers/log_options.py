"""Log drivers: which options they take, what their tags mean, where their lines go. Pure.

Drivers that keep no log of their own get a local copy, so that `docker logs` works (as dockerd
20.10 does it: dual logging).
"""

import os
import re
from collections.abc import Mapping

from wherry.dockerapi.host_config import LogConfig
from wherry.engine.records import ContainerRecord
from wherry.kit.errors import InvalidInput, Unsupported
from wherry.kit.units import parse_size

_GENERAL = frozenset(("mode", "max-buffer-size"))
_WORDS = frozenset("labels labels-regex env env-regex tag".split())
_CACHE = frozenset("cache-disabled cache-max-size cache-max-file cache-compress".split())
_FILE = frozenset(("max-size", "max-file", "compress"))
_SYSLOG = frozenset(
    "syslog-address syslog-facility syslog-format syslog-tls-ca-cert syslog-tls-cert "
    "syslog-tls-key syslog-tls-skip-verify".split()
)
OPTIONS = {
    "json-file": _FILE | _WORDS,
    "local": _FILE | _WORDS,
    "none": _FILE | _WORDS,
    "syslog": _SYSLOG | _WORDS | _CACHE,
    "journald": _WORDS | _CACHE,
}
REMOTE = ("syslog", "journald")
JOURNAL = "/run/systemd/journal/socket"
_FACILITIES = (
    "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp "
    "- - - - local0 local1 local2 local3 local4 local5 local6 local7"
).split()
_FORMATS = ("", "rfc3164", "rfc5424", "rfc5424micro")
_TAG_WORD = re.compile(r"\{\{\s*\.(\w+)\s*\}\}")


def check(log: LogConfig) -> None:
    """Raises InvalidInput with dockerd's words, Unsupported (syslog over TLS)."""
    kind = log.type or "json-file"
    options = log.config or {}
    if kind not in OPTIONS:
        raise InvalidInput(f'error looking up logging plugin {kind}: plugin "{kind}" not found')
    for name in options:
        if name not in OPTIONS[kind] | _GENERAL:
            raise InvalidInput(f"unknown log opt '{name}' for {kind} log driver")
    _check_mode(options)
    if kind == "syslog":
        syslog_address(options.get("syslog-address", ""))
        facility(options.get("syslog-facility", ""))
        if options.get("syslog-format", "") not in _FORMATS:
            raise InvalidInput("Invalid syslog format")


def keeps_nothing(log: LogConfig) -> bool:
    """Whether there is nothing to read here: driver none, or no copy wanted of what is sent on."""
    disabled = (log.config or {}).get("cache-disabled") == "true"
    return log.type == "none" or (log.type in REMOTE and disabled)


def _check_mode(options: Mapping[str, str]) -> None:
    mode = options.get("mode", "")
    if mode not in ("", "blocking", "non-blocking"):
        raise InvalidInput(f"logger: logging mode not supported: {mode}")
    if "max-buffer-size" in options:
        if mode != "non-blocking":
            raise InvalidInput(
                "logger: max-buffer-size option is only supported with 'mode=non-blocking'"
            )
        parse_size(options["max-buffer-size"])


def syslog_address(text: str) -> str:
    """The address with its port. Raises InvalidInput, Unsupported."""
    if not text:
        return "unix:///dev/log"
    scheme, separator, place = text.partition("://")
    if not separator or scheme not in ("tcp", "udp", "unix", "unixgram", "tcp+tls"):
        raise InvalidInput(f"syslog-address should be in form proto://address, got {text}")
    if scheme == "tcp+tls":
        raise Unsupported("syslog over tcp+tls is not offered by this engine yet")
    if scheme in ("unix", "unixgram"):
        if not os.path.exists(place):
            raise InvalidInput(f"stat {place}: no such file or directory")
        return text
    host, colon, port = place.rpartition(":")
    return text if colon and port.isdigit() and host else f"{scheme}://{place}:514"


def facility(text: str) -> int:
    """By name or number. Raises InvalidInput."""
    if not text:
        return 3
    if text in _FACILITIES and text != "-":
        return _FACILITIES.index(text)
    if text.isdigit() and int(text) < 24:
        return int(text)
    raise InvalidInput("invalid syslog facility")


def tag(template: str, record: ContainerRecord) -> str:
    """What `--log-opt tag` means for a container. Raises InvalidInput for unknown words."""
    image = str(record.image)
    words = {
        "ID": record.id[:12],
        "FullID": record.id,
        "Name": record.name,
        "ImageName": record.image_reference,
        "ImageID": image.removeprefix("sha256:")[:12],
        "ImageFullID": image,
        "DaemonName": "docker",
    }

    def put(match: re.Match[str]) -> str:
        if match[1] not in words:
            raise InvalidInput(f"log tag {template!r}: {match[1]} is not one of {', '.join(words)}")
        return words[match[1]]

    done = _TAG_WORD.sub(put, template or "{{.ID}}")
    if "{{" in done:
        raise InvalidInput(f"log tag {template!r}: only {{{{.Name}}}} and the like are understood")
    return done


def attributes(options: Mapping[str, str], record: ContainerRecord) -> dict[str, str]:
    """What goes with each line: labels and variables that were asked for, the tag.

    Raises InvalidInput for an expression or a tag that is not understood.
    """
    labels = record.request.labels or {}
    env = dict(entry.split("=", 1) for entry in record.request.env or [] if "=" in entry)
    found = _chosen(labels, options, "labels") | _chosen(env, options, "env")
    if options.get("tag"):
        found["tag"] = tag(options["tag"], record)
    return found


def _chosen(values: Mapping[str, str], options: Mapping[str, str], option: str) -> dict[str, str]:
    """By name, and by an expression that is found somewhere in the name."""
    names = set(options.get(option, "").split(","))
    text = options.get(f"{option}-regex", "")
    try:
        expression = re.compile(text) if text else None
    except re.error as error:
        raise InvalidInput(
            f"failed to initialize logging driver: {option}-regex: {error}"
        ) from error
    return {
        name: value
        for name, value in values.items()
        if name in names or (expression and expression.search(name))
    }


def remote(
    log: LogConfig, record: ContainerRecord, attrs: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """What the monitor is told of a driver that sends lines on; empty for others.

    Raises InvalidInput where journald is not there.
    """
    options = log.config or {}
    if log.type == "syslog":
        found = {
            "address": syslog_address(options.get("syslog-address", "")),
            "facility": str(facility(options.get("syslog-facility", ""))),
            "format": options.get("syslog-format", ""),
            "tag": tag(options.get("tag", ""), record),
        }
    elif log.type == "journald":
        found = _journal(options, record, attrs)
    else:
        return ()
    return tuple(sorted({"kind": log.type, **found}.items()))


def _journal(
    options: Mapping[str, str], record: ContainerRecord, attrs: Mapping[str, str]
) -> dict[str, str]:
    if not os.path.exists(JOURNAL):
        raise InvalidInput(
            "failed to initialize logging driver: journald is not enabled on this host"
        )
    name = tag(options.get("tag", ""), record)
    fields = {re.sub(r"[^A-Z0-9_]", "_", key.upper()): value for key, value in attrs.items()}
    return {
        **fields,
        "address": f"unixgram://{JOURNAL}",
        "CONTAINER_ID": record.id[:12],
        "CONTAINER_ID_FULL": record.id,
        "CONTAINER_NAME": record.name,
        "CONTAINER_TAG": name,
        "SYSLOG_IDENTIFIER": name,
        "IMAGE_NAME": record.image_reference,
    }
