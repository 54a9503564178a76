"""Documents that others read: features, events, the log, limits from options."""

import json
from pathlib import Path

import pytest

from wherry.kit.errors import InvalidInput
from wherry.runtime.cgroups.stats import CpuStats, MemoryStats, PidsStats, Stats
from wherry.runtime.commands import features, journal, report, updating, usage
from wherry.runtime.commands.arguments import Syntax, read


def test_features_name_what_the_reader_knows() -> None:
    document = features.describe()
    options = document["mountOptions"]
    assert isinstance(options, list)
    assert {"rro", "ridmap", "rslave", "tmpcopyup", "nosymfollow"} <= set(options)
    assert json.dumps(document)


def test_events_are_runcs_document() -> None:
    stats = Stats(
        1,
        CpuStats(30, 10, 20, (15, 15)),
        MemoryStats(usage=5, limit=100, details=(("cache", 3),)),
        PidsStats(2, 10),
    )
    document = usage.describe(stats)
    assert document["cpu"]["usage"] == {  # type: ignore[index]
        "total": 30,
        "percpu": [15, 15],
        "kernel": 20,
        "user": 10,
    }
    assert document["memory"]["cache"] == 3  # type: ignore[index]
    assert document["memory"]["usage"]["limit"] == 100  # type: ignore[index]
    assert document["pids"] == {"current": 2, "limit": 10}


def test_errors_are_in_the_log_as_callers_read_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log"
    journal.Journal(str(path), "json").error('exec: "x"')
    line = json.loads(path.read_text())
    assert (line["level"], line["msg"]) == ("error", 'exec: "x"')
    assert capsys.readouterr().err == 'exec: "x"\n'
    journal.Journal(str(path), "text").warning("hm")
    assert 'level=warning msg="hm"' in path.read_text()
    with pytest.raises(InvalidInput, match="--log-format"):
        journal.Journal("", "yaml")


def test_update_options_become_resources() -> None:
    syntax = Syntax(tuple(updating._OPTIONS))
    arguments = read(["--memory", "50m", "--memory-swap=-1", "--cpuset-cpus", "0-1"], syntax)
    assert updating._document(arguments) == {
        "memory": {"limit": 50 << 20, "swap": -1},
        "cpu": {"cpus": "0-1"},
    }


def test_ps_keeps_only_the_containers_lines() -> None:
    text = "UID   PID CMD\nroot   1 init\nroot  12 sh\n"
    assert report._only([12], text) == "UID   PID CMD\nroot  12 sh\n"
    with pytest.raises(InvalidInput, match="PID"):
        report._only([12], "CMD\nx\n")
