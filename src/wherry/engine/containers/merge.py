"""The image's configuration under the client's request: who wins where (Docker's rules)."""

import msgspec

from wherry.dockerapi.containers import ContainerCreateRequest, Healthcheck
from wherry.kit.errors import InvalidInput
from wherry.oci.config import ProcessConfig


def merged(asked: ContainerCreateRequest, image: ProcessConfig | None) -> ContainerCreateRequest:
    """The request with everything filled in that the image says. Raises InvalidInput.

    A given entrypoint discards the image's command; an empty one (`[""]`) discards both.
    """
    base = image or ProcessConfig()
    entrypoint, command = asked.entrypoint, asked.cmd
    if not entrypoint:
        command = command or base.cmd
        if entrypoint is None:
            entrypoint = base.entrypoint
    if entrypoint == [""]:
        entrypoint = None
    if not entrypoint and not command:
        raise InvalidInput("No command specified")
    result = msgspec.structs.replace(
        asked,
        entrypoint=entrypoint,
        cmd=command,
        user=asked.user or base.user,
        working_dir=asked.working_dir or base.working_dir,
        env=_environment(base.env or [], asked.env or []),
        labels={**(base.labels or {}), **(asked.labels or {})},
        exposed_ports=_union(base.exposed_ports, asked.exposed_ports),
        volumes=_union(base.volumes, asked.volumes),
        stop_signal=asked.stop_signal or base.stop_signal,
        shell=asked.shell or base.shell,
        healthcheck=_healthcheck(asked.healthcheck, base),
    )
    if result.working_dir and not result.working_dir.startswith("/"):
        raise InvalidInput(
            f"the working directory '{result.working_dir}' is invalid, "
            "it needs to be an absolute path"
        )
    return result


def _environment(base: list[str], asked: list[str]) -> list[str]:
    """What was asked for, then what the image has under other names.

    A bare `NAME` stays: it says that the container has no such variable.
    """
    names = {entry.partition("=")[0] for entry in asked}
    return [*asked, *(entry for entry in base if entry.partition("=")[0] not in names)]


def _union(
    base: dict[str, dict[str, str]] | None, more: dict[str, dict[str, str]] | None
) -> dict[str, dict[str, str]] | None:
    return {**(base or {}), **(more or {})} or None


def _healthcheck(asked: Healthcheck | None, base: ProcessConfig) -> Healthcheck | None:
    if base.healthcheck is None:
        return asked
    inherited = Healthcheck(**msgspec.structs.asdict(base.healthcheck))
    if asked is None:
        return inherited
    names = Healthcheck.__struct_fields__
    return Healthcheck(**{name: getattr(asked, name) or getattr(inherited, name) for name in names})
