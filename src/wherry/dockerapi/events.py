"""GET /events: one JSON object a line."""

from typing import ClassVar

import msgspec

from wherry.dockerapi.names import go_name


class Actor(msgspec.Struct, frozen=True, rename=go_name):
    """The object an event is about."""

    id: str = ""
    attributes: dict[str, str] = {}


class Event(msgspec.Struct, frozen=True):
    """`status`, `id` and `from` repeat action, id and image for containers and images only."""

    __omitempty__: ClassVar[frozenset[str]] = frozenset(("status", "id", "from_image", "scope"))

    status: str = ""
    id: str = ""
    from_image: str = msgspec.field(name="from", default="")
    type: str = msgspec.field(name="Type", default="")
    action: str = msgspec.field(name="Action", default="")
    actor: Actor = msgspec.field(name="Actor", default=Actor())
    scope: str = "local"
    time: int = 0
    """Seconds since the epoch."""
    time_nano: int = msgspec.field(name="timeNano", default=0)
    """Nanoseconds since the epoch."""


def event(kind: str, action: str, actor: Actor, at: int) -> Event:
    """An event at a time in nanoseconds, with the old fields where dockerd sets them."""
    old = kind in ("container", "image")
    image = actor.attributes.get("image", "") if kind == "container" else ""
    return Event(
        status=action if old else "",
        id=actor.id if old else "",
        from_image=image,
        type=kind,
        action=action,
        actor=actor,
        time=at // 1_000_000_000,
        time_nano=at,
    )
