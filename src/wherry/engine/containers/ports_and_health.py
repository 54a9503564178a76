"""Published ports and health checks of a create request, with dockerd's texts. Pure."""

from wherry.dockerapi.containers import ContainerCreateRequest, Healthcheck
from wherry.dockerapi.ports import parse_port
from wherry.kit.errors import InvalidInput

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


def _check_container_port(text: str) -> None:
    try:
        parse_port(text)
    except InvalidInput as error:
        raise InvalidInput(f'invalid port specification: "{text}"') from error


def _check_host_port(text: str) -> None:
    """A port, a range, or nothing."""
    first, dash, last = text.partition("-")
    ends = [first, last] if dash else [first] * bool(text)
    if not all(end.isdigit() and int(end) <= 0xFFFF for end in ends):
        raise InvalidInput(f'invalid port specification: "{text}"')


def check_health(health: Healthcheck) -> None:
    """Times are zero (inherit) or at least a millisecond."""
    for field, name in _TIMES:
        if getattr(health, field) and getattr(health, field) < MILLISECOND:
            raise InvalidInput(f"{name} in Healthcheck cannot be less than 1ms")
    if health.retries < 0:
        raise InvalidInput("Retries in Healthcheck cannot be negative")
