"""How two engines' results of one suite are compared."""

from pathlib import Path

from tests.compat.suites import outcome
from tests.compat.suites.outcome import Case

REPORT = """<testsuites><testsuite>
<testcase classname="tests.a_test.Kind" name="test_one" file="tests/a_test.py"/>
<testcase classname="tests.a_test.Kind" name="test_two" file="tests/a_test.py">
 <failure message="assert 1 == 2">trace</failure></testcase>
<testcase classname="tests.b_test" name="test_three" file="tests/b_test.py">
 <skipped message="not here"/></testcase>
<testcase classname="tests.b_test" name="test_four" file="tests/b_test.py">
 <error message="setup"/></testcase>
</testsuite></testsuites>"""


def test_a_report_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_text(REPORT)
    found = outcome.read(tmp_path / "x.xml")
    assert {key: test.outcome for key, test in found.items()} == {
        "a_test.py::Kind.test_one": "passed",
        "a_test.py::Kind.test_two": "failed",
        "b_test.py::test_three": "skipped",
        "b_test.py::test_four": "failed",
    }
    assert found["a_test.py::Kind.test_two"].text == "assert 1 == 2"


def results(**outcomes: str) -> outcome.Results:
    tests = [Case("a.py", name, value) for name, value in outcomes.items()]
    return {test.id: test for test in tests}


def test_only_what_the_oracle_passes_counts() -> None:
    oracle = results(one="passed", two="passed", three="failed", four="passed", five="passed")
    ours = results(one="passed", two="failed", three="failed", four="skipped")
    behind = outcome.worse(oracle, ours)
    assert [(test.name, test.outcome) for test in behind] == [
        ("two", "failed"), ("four", "skipped"), ("five", "missing"),
    ]  # fmt: skip
    reasons = {"a.py::t*": "why", "a.py::five": "gone"}
    assert [test.name for test in outcome.unexplained(behind, reasons)] == ["four"]


def test_the_table_counts_by_file() -> None:
    text = outcome.table({"dockerd": results(one="passed", two="failed"), "root": {}})
    assert text.splitlines()[2:] == [
        "| a.py | 1 / 1 / 0 | not run |",
        "| **all** | 1 / 1 / 0 | not run |",
    ]
