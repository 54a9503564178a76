"""`wherry logs`."""

from collections.abc import Iterator

from wherry.cli import times
from wherry.cli.command import Arity, Command
from wherry.cli.flags import switch, text
from wherry.cli.session import Session, write_all
from wherry.client import containers
from wherry.client.frames import STDERR, Splitter


def logs(
    session: Session,
    arguments: list[str],
    *,
    details: bool,
    follow: bool,
    since: str,
    until: str,
    tail: str,
    timestamps: bool,
) -> None:
    """Fetch the logs of a container."""
    found = containers.inspect(session.client, arguments[0])
    query = {"stdout": "1", "stderr": "1", "tail": tail}
    chosen = (("details", details), ("follow", follow), ("timestamps", timestamps))
    query.update({name: "1" for name, on in chosen if on})
    for name, value in (("since", since), ("until", until)):
        if value:
            query[name] = times.stamp_of(name, value)
    pieces = containers.logs(session.client, found.text("Id"), query)
    write_pieces(pieces, tty=found.flag("Config", "Tty"))


def write_pieces(pieces: Iterator[bytes], *, tty: bool) -> None:
    """A log's bytes to our standard streams, taken apart unless a terminal wrote it."""
    if tty:
        for piece in pieces:
            write_all(1, piece)
        return
    splitter = Splitter()
    for piece in pieces:
        for number, data in splitter.runs(piece):
            write_all(2 if number == STDERR else 1, data)


command = Command(
    "logs",
    logs,
    "Fetch the logs of a container",
    usage="CONTAINER",
    arity=Arity(1, 1),
    flags=(
        switch("details", "Show extra details provided to logs"),
        switch("follow f", "Follow log output"),
        text("since", "Show logs since a time (2013-01-02T13:23:37Z) or for a span (42m)"),
        text("until", "Show logs before a time (2013-01-02T13:23:37Z) or a span ago (42m)"),
        text("tail n", "Number of lines to show from the end of the logs", default="all"),
        switch("timestamps t", "Show timestamps"),
    ),
)
