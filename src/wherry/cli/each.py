"""The same action on many things: each is tried, the errors come together at the end."""

import threading
from collections.abc import Callable, Sequence

from wherry.cli.command import Failed
from wherry.cli.session import Session, describe
from wherry.client.client import Client
from wherry.kit.errors import WherryError

Act = Callable[[Client, str], str]
"""Does it to one thing, and returns what to print."""

AT_ONCE = 50
"""How many are worked on at the same time, as in Docker."""


def each(session: Session, names: Sequence[str], act: Act) -> None:
    """One after the other. Raises Failed if any of them failed."""
    problems = []
    for name in names:
        try:
            session.print(act(session.client, name))
        except WherryError as error:
            problems.append(describe(error))
    if problems:
        raise Failed("\n".join(problems))


def each_at_once(session: Session, names: Sequence[str], act: Act) -> None:
    """All together (ten containers that take ten seconds to stop take ten seconds).

    The order of what is printed is that of the names. Raises Failed if any of them failed.
    """
    if len(names) == 1:
        each(session, names, act)
        return
    session.client.ping()  # asked once here, not once a thread
    results = _Results()
    room = threading.Semaphore(AT_ONCE)
    threads = [
        threading.Thread(
            target=results.fill, args=(place, room, session.client.another(), name, act)
        )
        for place, name in enumerate(names)
    ]
    for thread in threads:
        thread.start()
    for place, thread in enumerate(threads):
        thread.join()
        if place in results.said:
            session.print(results.said[place])
    if results.problems:
        raise Failed("\n".join(results.problems[place] for place in sorted(results.problems)))


class _Results:
    """What the threads found, by the place of the name."""

    def __init__(self) -> None:
        self.said: dict[int, str] = {}
        self.problems: dict[int, str] = {}

    def fill(
        self, place: int, room: threading.Semaphore, client: Client, name: str, act: Act
    ) -> None:
        with room:
            try:
                self.said[place] = act(client, name)
            except WherryError as error:
                self.problems[place] = describe(error)
            finally:
                client.close()
