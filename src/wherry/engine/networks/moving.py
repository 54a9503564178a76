"""Which network leads out of a container that runs: it changes when its networks do."""

import msgspec

from wherry.engine.networking import Networking, endpoint
from wherry.engine.networks import places, publishing
from wherry.engine.records import ContainerRecord, EndpointRecord
from wherry.network.default_route import set_gateways
from wherry.network.driver import Sandbox


async def rerouted(
    networking: Networking, record: ContainerRecord, sandbox: Sandbox
) -> ContainerRecord:
    """The record with default routes and published ports where they belong now."""
    before = record.endpoints
    now = places.routed(before, networking.book.find)
    out = next((place for place in now if place.default_route), None)
    out6 = next((place for place in now if place.default_route6), None)
    set_gateways(sandbox, out.gateway if out else "", out6.gateway6 if out6 else "")
    for old, new in zip(before, now, strict=True):
        if old.default_route and not new.default_route:
            network = networking.book.find(old.network_id).network
            await networking.driver(network).withdraw(network, endpoint(record, old))
    moved = [await _published(networking, record, place) for place in now]
    return msgspec.structs.replace(record, endpoints=tuple(moved))


async def _published(
    networking: Networking, record: ContainerRecord, place: EndpointRecord
) -> EndpointRecord:
    """The ports of a place, if it leads out; publishing what is published changes nothing."""
    if not place.default_route:
        return msgspec.structs.replace(place, ports=())
    network = networking.book.find(place.network_id).network
    ports = await networking.driver(network).publish(network, endpoint(record, place))
    return msgspec.structs.replace(place, ports=tuple(map(publishing.mapping, ports)))
