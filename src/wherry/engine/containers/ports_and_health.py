"""Published ports and health checks of a create request, with dockerd's texts. Pure."""

from wherry.dockerapi.containers import ContainerCreateRequest, Healthcheck
from wherry.dockerapi.ports import is_port, parse_port
from wherry.engine.networks import publishing
from wherry.kit.errors import InvalidInput, Unsupported
from wherry.network.ports import PROTOCOLS

MILLISECOND = 1_000_000
_TIMES = (("interval", "Interval"), ("timeout", "Timeout"), ("start_period", "StartPeriod"))


def check(request: ContainerCreateRequest) -> None:
    """Raises InvalidInput."""
    for key, bindings in (request.host_config.port_bindings or {}).items():
        _check_container_port(key)
        for binding in bindings or []:
            _check_host_port(binding.host_port)
    if request.healthcheck is not None:
        check_health(request.healthcheck)


def check_protocols(request: ContainerCreateRequest) -> None:
    """What would be published, by `-P` as well. Raises Unsupported (sctp)."""
    if request.host_config.network_mode == "host":  # there they are discarded, with a warning
        return
    for port in publishing.bindings(request):
        if port.protocol not in PROTOCOLS:
            raise Unsupported(
                f"publishing port {port.container_port}/{port.protocol} is not supported: "
                "tcp or udp only, leave it out"
            )


def _check_container_port(text: str) -> None:
    try:
        parse_port(text)
    except InvalidInput as error:
        raise InvalidInput(f'invalid port specification: "{text}"') from error


def _check_host_port(text: str) -> None:
    """A port, a range, or nothing."""
    first, dash, last = text.partition("-")
    ends = [first, last] if dash else [first] * bool(text)
    if not all(map(is_port, ends)):
        raise InvalidInput(f'invalid port specification: "{text}"')


def check_health(health: Healthcheck) -> None:
    """Times are zero (inherit) or at least a millisecond."""
    for field, name in _TIMES:
        if getattr(health, field) and getattr(health, field) < MILLISECOND:
            raise InvalidInput(f"{name} in Healthcheck cannot be less than 1ms")
    if health.retries < 0:
        raise InvalidInput("Retries in Healthcheck cannot be negative")
