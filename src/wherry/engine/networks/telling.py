"""The events of a container's coming into its networks and going."""

from wherry.engine.events import Event
from wherry.engine.networks.book import NetworkBook
from wherry.engine.networks.record import happened
from wherry.engine.records import ContainerRecord


def connections(book: NetworkBook, record: ContainerRecord, action: str) -> list[Event]:
    """One for each network that the container is in: `connect` or `disconnect`."""
    known = (book.known(place.network_id) for place in record.endpoints if place.endpoint_id)
    return [happened(network, action, record.id) for network in known if network]
