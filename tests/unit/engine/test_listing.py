"""How the list words things."""

import pytest

from wherry.engine.containers.listing import human_duration, status_text
from wherry.engine.records import StateRecord
from wherry.kit.clock import SECOND


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (180, "3 minutes"),
        (3000, "About an hour"),
        (7200, "2 hours"),
        (3 * 86400, "3 days"),
        (21 * 86400, "3 weeks"),
        (90 * 86400, "3 months"),
        (800 * 86400, "2 years"),
    ],
)
def test_durations_read_as_docker_says_them(seconds: int, text: str) -> None:
    assert human_duration(seconds) == text


def test_states() -> None:
    now = 1_000_000 * SECOND
    up = StateRecord("running", started_at=now - 5 * SECOND)
    assert status_text(up, now) == "Up 5 seconds"
    assert status_text(StateRecord("paused", started_at=now - 5 * SECOND), now).endswith("(Paused)")
    ended = StateRecord("exited", exit_code=3, finished_at=now - 180 * SECOND)
    assert status_text(ended, now) == "Exited (3) 3 minutes ago"
    assert status_text(StateRecord("created"), now) == "Created"
