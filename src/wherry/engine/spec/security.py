"""`--security-opt`, the seccomp profile, masked and read-only paths."""

import json
from typing import NamedTuple

from wherry.dockerapi.host_config import HostConfig
from wherry.engine.spec.facts import Host
from wherry.engine.spec.mounts import MASKED, READONLY
from wherry.kit.errors import InvalidInput, Unsupported
from wherry.runtime import seccomp_default


class Options(NamedTuple):
    """`--security-opt` sorted out."""

    no_new_privileges: bool = False
    seccomp: str = ""
    """Empty: the default; `unconfined`; or a profile's JSON."""
    apparmor: str = ""
    label: tuple[str, ...] = ()
    unmasked: bool = False


def parse(options: list[str]) -> Options:
    """Raises InvalidInput with dockerd's text."""
    found = Options()
    for option in options:
        name, separator, value = _split(option)
        if name == "no-new-privileges" and value in ("", "true", "false"):
            found = found._replace(no_new_privileges=value != "false")
        elif name == "seccomp" and separator:
            found = found._replace(seccomp=value)
        elif name == "apparmor" and separator:
            found = found._replace(apparmor=value)
        elif name == "label" and separator:
            found = found._replace(label=(*found.label, value))
        elif name == "systempaths" and value == "unconfined":
            found = found._replace(unmasked=True)
        elif name == "disable" and not separator:
            found = found._replace(label=("disable",))
        else:
            number = 2 if separator else 1
            raise InvalidInput(f'invalid --security-opt {number}: "{option}"')
    return found


def _split(option: str) -> tuple[str, str, str]:
    """At `=`, or at `:` as old clients write it."""
    name, separator, value = option.partition("=")
    return (name, separator, value) if separator else option.partition(":")


def labels(options: Options, host: Host, *, privileged: bool) -> dict[str, str]:
    """AppArmor profile and SELinux label for the process. Raises Unsupported, InvalidInput."""
    if options.apparmor not in ("", "unconfined") and not host.apparmor:
        raise Unsupported(
            f"apparmor profile {options.apparmor!r} asked for, but this kernel has no apparmor"
        )
    if any(label != "disable" for label in options.label) and not host.selinux:
        # dockerd without selinux accepts labels and has nothing to apply them to
        return {}
    if options.apparmor and not privileged and host.apparmor:
        return {"apparmorProfile": options.apparmor}
    return {}


def seccomp(
    options: Options, host: Host, capabilities: frozenset[str], *, privileged: bool
) -> dict[str, object] | None:
    """The profile in the specification's form; None is unconfined. Raises InvalidInput."""
    if options.seccomp == "unconfined" or (privileged and not options.seccomp):
        profile: dict[str, object] | None = None
    elif options.seccomp:
        profile = _custom(options.seccomp)
    else:
        profile = seccomp_default.default_profile(capabilities, host.kernel, host.architecture)
    return profile


def _custom(text: str) -> dict[str, object]:
    try:
        profile = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"Decoding seccomp profile failed: {error}") from error
    if not isinstance(profile, dict):
        raise InvalidInput("Decoding seccomp profile failed: not an object")
    return profile


def paths(host: HostConfig, options: Options) -> dict[str, object]:
    """Masked and read-only paths: the client's lists, else Docker's, none when privileged."""
    if host.privileged or options.unmasked:
        return {}
    masked = MASKED if host.masked_paths is None else host.masked_paths
    readonly = READONLY if host.readonly_paths is None else host.readonly_paths
    return {"maskedPaths": masked, "readonlyPaths": readonly}
