"""The same action on many things."""

import threading

import pytest

from wherry.cli.command import Failed
from wherry.cli.each import each, each_at_once
from wherry.cli.session import Session
from wherry.client.client import Client
from wherry.client.endpoint import Choice
from wherry.kit.errors import NotFound


def act(client: Client, name: str) -> str:
    if name.startswith("bad"):
        raise NotFound(f"no such thing: {name}")
    return name.upper()


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    made = Session(Choice(host="unix:///nowhere"))
    made.client._ping = {}
    return made


@pytest.mark.parametrize("run", [each, each_at_once])
def test_order_of_lines_and_errors(
    run: object, session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(run)
    with pytest.raises(Failed) as caught:
        run(session, ["a", "bad1", "b", "bad2", "c"], act)
    assert str(caught.value) == "no such thing: bad1\nno such thing: bad2"
    assert capsys.readouterr().out == "A\nB\nC\n"


def test_all_are_under_way_together(session: Session) -> None:
    """Each waits until all three have begun: one after the other would never end."""
    meeting = threading.Barrier(3, timeout=10)

    def meet(client: Client, name: str) -> str:
        meeting.wait()
        return name

    each_at_once(session, ["a", "b", "c"], meet)
