"""About 400 requests replayed on dockerd and on ours, the answers compared field by field."""

import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.compat import pair
from tests.compat.differential import script
from tests.compat.differential.allowed import ALLOWED, Row
from tests.compat.differential.script import Request
from tests.compat.pair import Pair

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(pair.missing()), reason=pair.missing() or "-"),
]


@pytest.fixture
def fresh() -> Iterator[Pair]:
    """A pair of its own: the script removes and prunes what others still need."""
    with pair.running() as both:
        yield both


def test_every_answer_is_as_dockerds(fresh: Pair) -> None:
    requests = script.read()
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(lambda each: script.played(each, requests), fresh.both)
    used, faults, same = Counter[Row](), list[str](), 0
    for request, left, right in zip(requests, theirs, ours, strict=True):
        found = list(differences(request, left, right))
        used.update(row for row, _ in found if row is not None)
        faults += [line for row, line in found if row is None]
        same += not found
    print(f"{len(requests)} requests, {same} answered alike in every field")
    for row, count in used.items():
        print(f"{count:4} × {row.request} {row.field}: {row.reason}")
    assert faults == [], "\n".join(faults)
    assert set(ALLOWED) - set(used) == set(), "rows that allow nothing any more"


def differences(
    request: Request, theirs: dict[str, str], ours: dict[str, str]
) -> Iterator[tuple[Row | None, str]]:
    """Every field that differs, with the row that allows it."""
    status = theirs["status"]
    for field in sorted({**theirs, **ours}):
        left, right = theirs.get(field), ours.get(field)
        if left != right:
            row = next((row for row in ALLOWED if allows(row, request, field, status)), None)
            yield row, f"{request} · {field}: {left!r} != {right!r}"


def allows(row: Row, request: Request, field: str, status: str) -> bool:
    matched = (
        re.fullmatch(row.request, str(request)),
        re.fullmatch(row.field, field),
        re.fullmatch(row.status, status),
    )
    return all(each is not None for each in matched)
