"""What became of each test of a suite, and the table of it."""

import fnmatch
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class Case(NamedTuple):
    """A test's name and what became of it; `text` is the first line of why not."""

    file: str
    name: str
    outcome: str
    text: str = ""

    @property
    def id(self) -> str:
        return f"{self.file}::{self.name}"


Results = dict[str, Case]
"""Of one engine, by id."""


def read(report: Path) -> Results:
    """From pytest's junit report of family xunit1."""
    found = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        kind = case.get("classname", "").rpartition(".")[2]
        prefix = f"{kind}." if kind[:1].isupper() else ""
        test = _judged(case, Path(case.get("file", "?")).name, prefix + case.get("name", ""))
        found[test.id] = test
    return found


def _judged(case: ElementTree.Element, file: str, name: str) -> Case:
    for tag, outcome in (("failure", FAILED), ("error", FAILED), ("skipped", SKIPPED)):
        why = case.find(tag)
        if why is not None:
            return Case(file, name, outcome, " ".join(why.get("message", "").split())[:200])
    return Case(file, name, PASSED)


def worse(oracle: Results, ours: Results) -> list[Case]:
    """What dockerd passes and we do not."""
    passed = [key for key, test in oracle.items() if test.outcome == PASSED]
    return [
        ours.get(key, oracle[key]._replace(outcome="missing"))
        for key in passed
        if key not in ours or ours[key].outcome != PASSED
    ]


def unexplained(tests: list[Case], reasons: Mapping[str, str]) -> list[Case]:
    """Those that no pattern of the reasons names."""
    return [test for test in tests if not reason(test, reasons)]


def reason(test: Case, reasons: Mapping[str, str]) -> str:
    """Why this one cannot pass; empty where no pattern names it."""
    found = (why for pattern, why in reasons.items() if fnmatch.fnmatch(test.id, pattern))
    return next(found, "")


def table(results: Mapping[str, Results]) -> str:
    """By file, passed / failed / skipped of each engine, in Markdown."""
    files = sorted({test.file for found in results.values() for test in found.values()})
    rows = [["file", *results], ["---"] * (len(results) + 1)]
    rows += [[file, *(_counts(found, file) for found in results.values())] for file in files]
    rows.append(["**all**", *(_counts(found, "") for found in results.values())])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _counts(results: Results, file: str) -> str:
    chosen = [test.outcome for test in results.values() if file in ("", test.file)]
    count = Counter(chosen)
    return f"{count[PASSED]} / {count[FAILED]} / {count[SKIPPED]}" if chosen else "not run"
