"""Egress rules of containers: the label that has them, its checks, and the events of denials."""

import asyncio
from collections.abc import Iterable
from typing import Any

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.engine.engine import Engine
from wherry.engine.registry import NoSuchContainer, happened
from wherry.kit.errors import InvalidInput
from wherry.network.driver import Network
from wherry.network.egress.policy import parse, rules_of

_GUARDING = ("bridge", "null")
"""Drivers whose containers reach nothing but through us."""


def check(request: ContainerCreateRequest, networks: Iterable[Network]) -> None:
    """Raises InvalidInput for rules that are none, or that could not be kept in these networks."""
    text = rules_of(request.labels)
    if not text:
        return
    parse(text)
    mode = request.host_config.network_mode
    wrong = [network.name for network in networks if network.driver not in _GUARDING]
    if mode.startswith("container:"):
        wrong = [mode]
    if wrong:
        raise InvalidInput(
            f"egress rules cannot be kept in network {wrong[0]}: they need a bridge network"
        )


def listen(engine: Engine, denied: list[Any]) -> None:
    """Denials become events of their containers; the network process tells few of many."""

    def tell(told: dict[str, Any]) -> None:
        engine.own(asyncio.create_task(_tell(engine, told)))

    denied.append(tell)


async def _tell(engine: Engine, told: dict[str, Any]) -> None:
    try:
        record = engine.containers.find(str(told.get("container"))).record
    except NoSuchContainer:  # it was removed just now
        return
    known = {"target": "name", "address": "address", "port": "port", "protocol": "protocol"}
    attributes = {name: str(told[field]) for name, field in known.items() if told.get(field)}
    if told.get("silent"):
        attributes["untold"] = str(told["silent"])
    await engine.journal.commit([], happened(record, "egress-denied", **attributes))
