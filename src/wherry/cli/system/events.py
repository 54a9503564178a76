"""`wherry events`."""

import json

from wherry.cli import times
from wherry.cli.command import Arity, Command
from wherry.cli.filters import filter_flag, gathered
from wherry.cli.flags import text
from wherry.cli.session import Session
from wherry.cli.system.formatting import formatted
from wherry.client import system
from wherry.client.containers import filter_query
from wherry.client.document import Document
from wherry.kit.clock import SECOND


def events(
    session: Session,
    arguments: list[str],
    *,
    filter: list[tuple[str, str]],
    format: str,
    since: str,
    until: str,
) -> None:
    """Get real time events from the engine."""
    del arguments
    query = filter_query(gathered(filter))
    for name, value in (("since", since), ("until", until)):
        if value:
            query[name] = times.stamp(value)
    for event in system.events(session.client, query):
        session.print(_shown(event, format))


def _shown(event: Document, form: str) -> str:
    if form == "json":
        return json.dumps(dict(event.raw), separators=(",", ":"), ensure_ascii=False)
    if form:
        return formatted({**event.raw}, form)
    moment = event.number("timeNano") or event.number("time") * SECOND
    attributes = event.mapping("Actor", "Attributes")
    details = ", ".join(f"{name}={attributes[name]}" for name in sorted(attributes))
    words = (times.local_iso_nano(moment), event.text("Type"), event.text("Action"))
    return f"{' '.join(words)} {event.text('Actor', 'ID')}" + (f" ({details})" if details else "")


command = Command(
    "events",
    events,
    "Get real time events from the engine",
    arity=Arity(0, 0),
    flags=(
        filter_flag(),
        text("format", "Format the output using the given Go template"),
        text("since", "Show all events created since timestamp"),
        text("until", "Stream events until this timestamp"),
    ),
)
