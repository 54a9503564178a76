"""`./dev test compat --aiodocker` and `--docker-py DIR`: runs a suite on each engine, compares.

Ends with 1 when dockerd passes a test that we fail without a reason in `theirs.py`.
"""

import argparse
import datetime
import subprocess
import sys
from pathlib import Path

from tests.compat.suites import arena, outcome, theirs
from tests.compat.suites.arena import ENGINES, Arena
from tests.compat.suites.outcome import Results
from tests.compat.suites.theirs import Suite

DOCS = theirs.HERE / "docs/suites"
SECONDS_A_TEST = 60


def main(arguments: list[str]) -> int:
    given = _parsed(arguments)
    why = arena.missing()
    if why:
        sys.exit(f"the suites cannot run here: {why}")
    suites = [theirs.aiodocker()] if given.aiodocker else []
    if given.docker_py:
        suites.append(theirs.docker_py(Path(given.docker_py).resolve()))
    failed = False
    with arena.mirror() as data:
        for suite in suites:
            results = {
                engine: run(suite, engine, data, given.pytest)
                for engine in given.engines.split(",")
            }
            text, good = judged(suite, results)
            print(text, flush=True)
            failed |= not good
            if given.record:
                DOCS.mkdir(exist_ok=True)
                (DOCS / f"{suite.name}.md").write_text(text)
    return int(failed)


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev test compat")
    parser.add_argument("--aiodocker", action="store_true", help="aiodocker's own tests")
    parser.add_argument("--docker-py", metavar="DIR", help="docker-py's, from its checkout")
    parser.add_argument("--engines", default=",".join(ENGINES), help="some of %(default)s")
    parser.add_argument("--record", action="store_true", help="write docs/suites/NAME.md")
    parser.add_argument("pytest", nargs="*", help="after --: arguments for pytest")
    given = parser.parse_args(arguments)
    unknown = set(given.engines.split(",")) - set(ENGINES)
    if unknown:
        parser.error(f"unknown engines: {' '.join(unknown)}")
    return given


def run(suite: Suite, engine: str, data: Path, more: list[str]) -> Results:
    """The suite on one engine, in an arena of its own."""
    print(f"\n== {suite.version} on {engine}", flush=True)
    with arena.arena(engine, data) as here:
        report = here.folder / "tmp/report.xml"
        words = here.inside(_pytest(suite, here, report, more), plain=engine == "plain")
        env = {**here.environment, **suite.environment, "PYTHONDONTWRITEBYTECODE": "1"}
        code = subprocess.run(words, cwd=suite.folder, env=env, check=False).returncode
        if code not in (0, 1):
            sys.exit(f"{suite.version} did not run on {engine}: pytest ended with {code}")
        return outcome.read(report)


def _pytest(suite: Suite, here: Arena, report: Path, more: list[str]) -> list[str]:
    if here.engine == "plain":
        chosen = [f"{suite.tests}/{name}" for name in suite.plain]
    else:
        chosen = [suite.tests, *(f"--ignore={suite.tests}/{name}" for name in suite.ignored)]
    return [
        str(suite.python), "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider",
        "-o", "addopts=", "-o", "junit_family=xunit1", f"--junitxml={report}",
        f"--timeout={SECONDS_A_TEST}", *suite.options, *chosen, *more,
    ]  # fmt: skip


def judged(suite: Suite, results: dict[str, Results]) -> tuple[str, bool]:
    """The page about a run, and whether every difference has its reason."""
    day = datetime.datetime.now(datetime.UTC).date()
    lines = [f"# {suite.version}", "", f"Run {day}; passed / failed / skipped.", ""]
    lines += [outcome.table(results), "", "Not run anywhere:", ""]
    lines += [f"- `{name}`: {why}" for name, why in suite.ignored.items()]
    good = True
    oracle = results.get("dockerd", {})
    for engine in [name for name in results if name != "dockerd"]:
        there = {key for key, test in results[engine].items()}
        asked = oracle if engine == "root" else {k: v for k, v in oracle.items() if k in there}
        behind = outcome.worse(asked, results[engine])
        reasons = suite.reasons | (suite.plain_reasons if engine == "plain" else {})
        good &= not outcome.unexplained(behind, reasons)
        lines += ["", f"Passed by dockerd and not by wherry as {engine}: {len(behind)}", ""]
        lines += [f"- `{t.id}`: {outcome.reason(t, reasons) or t.text}" for t in behind]
    return "\n".join(lines) + "\n", good


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
