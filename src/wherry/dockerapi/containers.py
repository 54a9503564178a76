"""Requests about containers. What dockerd answers is in `container_answers`."""

from typing import ClassVar

import msgspec

from wherry.dockerapi.decode import decode_json
from wherry.dockerapi.endpoints import NetworkingConfig
from wherry.dockerapi.host_config import HostConfig, Resources, RestartPolicy, StringOrList
from wherry.dockerapi.names import go_name
from wherry.kit.errors import InvalidInput
from wherry.oci.config import Empty


class Healthcheck(msgspec.Struct, frozen=True, omit_defaults=True, rename=go_name):
    """Health check; times in nanoseconds, 0 means inherit or default."""

    test: list[str] | None = None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class ContainerConfig(msgspec.Struct, frozen=True, rename=go_name):
    """What a container is independent of its host; fields in dockerd's order."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(
        (
            "exposed_ports",
            "healthcheck",
            "args_escaped",
            "network_disabled",
            "mac_address",
            "stop_signal",
            "stop_timeout",
            "shell",
        )
    )

    hostname: str = ""
    domainname: str = ""
    user: str = ""
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    exposed_ports: Empty | None = None
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    env: list[str] | None = None
    cmd: StringOrList | None = None
    healthcheck: Healthcheck | None = None
    args_escaped: bool = False
    image: str = ""
    volumes: Empty | None = None
    working_dir: str = ""
    entrypoint: StringOrList | None = None
    network_disabled: bool = False
    mac_address: str = ""
    """Until API 1.43; later in the endpoint's settings."""
    on_build: list[str] | None = None
    labels: dict[str, str] | None = None
    stop_signal: str = ""
    stop_timeout: int | None = None
    """Seconds."""
    shell: StringOrList | None = None


class ContainerCreateRequest(ContainerConfig, frozen=True, rename=go_name):
    """POST /containers/create: the config with everything else beside it.

    Read it with `decode_create`, which also sorts out what API 1.17 and older wrote.
    """

    __go_type__: ClassVar[str] = "runconfig.ContainerConfigWrapper"

    host_config: HostConfig = HostConfig()
    networking_config: NetworkingConfig = NetworkingConfig()

    def config(self) -> ContainerConfig:
        """The part that inspect shows as `Config`."""
        names = ContainerConfig.__struct_fields__
        return ContainerConfig(**{name: getattr(self, name) for name in names})


class _Legacy(msgspec.Struct, frozen=True, rename=go_name):
    """Fields that stood beside `HostConfig` in API 1.17 and before."""

    host_config: HostConfig | None = None
    memory: int = 0
    memory_swap: int = 0
    cpu_shares: int = 0
    cpuset: str = ""
    cpuset_cpus: str = ""
    volume_driver: str = ""


def decode_create(body: bytes) -> ContainerCreateRequest:
    """Read the body of a create request. Raises InvalidInput with dockerd's text."""
    request = decode_json(body, ContainerCreateRequest)
    if request.config() == ContainerConfig():
        raise InvalidInput("Config cannot be empty in order to create a container")
    old = decode_json(body, _Legacy)
    host = request.host_config if old.host_config else decode_json(body, HostConfig)
    host = msgspec.structs.replace(
        host,
        memory=host.memory or old.memory,
        memory_swap=host.memory_swap or old.memory_swap,
        cpu_shares=host.cpu_shares or old.cpu_shares,
        cpuset_cpus=host.cpuset_cpus or old.cpuset_cpus or old.cpuset,
        volume_driver=host.volume_driver or old.volume_driver,
        network_mode=host.network_mode or "default",
    )
    return msgspec.structs.replace(request, host_config=host)


class UpdateRequest(Resources, frozen=True, rename=go_name):
    """POST /containers/{id}/update: zero and null fields stay as they are."""

    __go_type__: ClassVar[str] = "container.UpdateConfig"

    restart_policy: RestartPolicy = RestartPolicy()


class CommitRequest(ContainerConfig, frozen=True, rename=go_name):
    """The body of POST /commit: changes to the config, all optional."""
