"""`./dev bench [NAME…]`: wherry beside Debian's dockerd, in one run, interleaved.

Each round of a case is run on one engine and then on the other, so that whatever else the machine
does hits both. The median of the rounds counts, and the ratio is what is compared with the goal.
Also measured: `runc run` of the same program, alone, which is the least any engine could take.
"""

import datetime
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import cases
import engines
from cases import Case
from disk import fresh_disk
from engines import Engine

RESULTS = Path(__file__).parent / "results"


def main(names: list[str]) -> int:
    """Measure the named cases, or all."""
    wanted = [case for case in cases.CASES if not names or case.name in names]
    if os.geteuid() != 0:
        sys.exit("the benchmarks compare with dockerd, which needs root")
    with fresh_disk() as disk:
        pair = [engines.dockerd(disk), engines.wherry(disk)]
        try:
            for engine in pair:
                cases.prepare(engine)
            results = [measure(case, pair) for case in wanted]
        finally:
            for engine in pair:
                engine.stop()
    runc = bare_runc()
    report(results, runc)
    return 0


def measure(case: Case, pair: list[Engine]) -> dict[str, object]:
    """Median, best and worst of both engines, and their ratio."""
    taken: dict[str, list[float]] = {engine.name: [] for engine in pair}
    for engine in pair:
        if case.prepare:
            case.prepare(engine)
    for _ in range(case.rounds):
        for engine in pair:
            taken[engine.name].append(case.run(engine))
    for engine in pair:
        if case.clean:
            case.clean(engine)
    factor = 1000 if case.unit == "ms" else 1
    row: dict[str, object] = {"name": case.name, "what": case.what, "unit": case.unit}
    for name, values in taken.items():
        row[name] = {
            "median": statistics.median(values) * factor,
            "min": min(values) * factor,
            "max": max(values) * factor,
            "rounds": len(values),
        }
    ratio = statistics.median(taken["wherry"]) / statistics.median(taken["dockerd"])
    row |= {"ratio": ratio, "goal": case.goal}
    print(_line(row), flush=True)
    return row


def _line(row: dict[str, object]) -> str:
    docker, ours = row["dockerd"], row["wherry"]
    assert isinstance(docker, dict) and isinstance(ours, dict)
    ratio, goal = float(str(row["ratio"])), float(str(row["goal"]))
    verdict = "reached" if ratio <= goal else "short"
    return (
        f"| {row['what']} | {docker['median']:.1f} {row['unit']} | {ours['median']:.1f} "
        f"{row['unit']} | {ratio:.2f} | {goal:.2f} | {verdict} |"
    )


def bare_runc() -> float | None:
    """Median of `runc run` of true with the same isolation, ms; None without runc."""
    runc = shutil.which("runc", path="/usr/sbin:/usr/bin")
    if runc is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        Path(f"{folder}/rootfs/bin").mkdir(parents=True)
        shutil.copy("/bin/busybox", f"{folder}/rootfs/bin/true")
        subprocess.run([runc, "spec"], cwd=folder, check=True)
        spec = json.loads(Path(f"{folder}/config.json").read_text())
        spec["process"]["args"], spec["process"]["terminal"] = ["true"], False
        Path(f"{folder}/config.json").write_text(json.dumps(spec))
        taken = []
        for number in range(15):
            began = time.perf_counter()
            subprocess.run([runc, "run", f"bench{os.getpid()}-{number}"], cwd=folder, check=True)
            taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


def report(results: list[dict[str, object]], runc: float | None) -> None:
    """A table for people and JSON for machines, in benchmarks/results/."""
    head = [
        f"# Beside dockerd, {datetime.date.today()}",
        "",
        f"{os.cpu_count()} CPUs, kernel {platform.release()}, CPython {platform.python_version()}; "
        "medians of interleaved rounds in one run, on a fresh ext4 in a file.",
        "",
        "| what | dockerd | wherry | ratio | goal | |",
        "|---|---|---|---|---|---|",
    ]
    lines = [*head, *(_line(row) for row in results)]
    if runc is not None:
        lines += ["", f"A bare `runc run` of the same program: {runc:.1f} ms."]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latest.md").write_text("\n".join(lines) + "\n")
    (RESULTS / "latest.json").write_text(json.dumps({"cases": results, "runc_ms": runc}, indent=1))
    print("\n".join(lines[-3:]))
    print(f"written to {RESULTS}/latest.md")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
