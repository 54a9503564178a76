from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.monitor.logcompress import compress
from wherry.monitor.logfile import LogFile
from wherry.monitor.protocol import LogConfig


class Later:
    """Stands for the compressing child: done when told."""

    def __init__(self) -> None:
        self.waiting: list[tuple[str, int, Callable[[], None]]] = []

    def __call__(self, path: str, stamp: int, done: Callable[[], None]) -> None:
        self.waiting.append((path, stamp, done))

    def run(self) -> None:
        path, stamp, done = self.waiting.pop(0)
        compress(path, stamp)
        done()


def entry(number: int) -> bytes:
    return b"%09d\n" % number


def test_rotates_before_the_entry_that_finds_it_full(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = LogFile(LogConfig(str(path), max_size=25, max_file=3), Later())
    log.append([entry(n) for n in range(10)])
    assert path.read_bytes() == entry(9)
    assert (tmp_path / "log.1").read_bytes() == b"".join(map(entry, (6, 7, 8)))
    assert (tmp_path / "log.2").read_bytes() == b"".join(map(entry, (3, 4, 5)))
    assert log.position() == (3, 10)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 9), max_size=12), st.integers(1, 40))
def test_batches_make_no_difference(sizes: list[int], limit: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        numbers = iter(range(1000))
        batches = [[entry(next(numbers)) for _ in range(size)] for size in sizes]
        for name, parts in (("one", [[e] for b in batches for e in b]), ("many", batches)):
            log = LogFile(LogConfig(f"{folder}/{name}", max_size=limit, max_file=4), Later())
            for part in parts:
                log.append(part)
        for suffix in ("", ".1", ".2", ".3"):
            one, many = Path(f"{folder}/one{suffix}"), Path(f"{folder}/many{suffix}")
            assert one.exists() == many.exists()
            assert not one.exists() or one.read_bytes() == many.read_bytes()


def test_entries_wait_for_the_compression(tmp_path: Path) -> None:
    path, later, freed = tmp_path / "log", Later(), []
    log = LogFile(LogConfig(str(path), max_size=10, max_file=3, compress=True), later)
    log.on_free = lambda: freed.append(1)
    log.append([entry(0)])
    assert not log.busy
    log.append([entry(n) for n in range(1, 4)])
    assert log.busy
    assert log.holds
    assert path.read_bytes() == entry(1)
    later.run()
    assert path.read_bytes() == entry(2)
    assert not freed
    later.run()
    assert path.read_bytes() == entry(3)
    later.run()
    assert freed == [1]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log", "log.1.gz", "log.2.gz"]


def test_an_interrupted_compression_is_finished(tmp_path: Path) -> None:
    path, later = tmp_path / "log", Later()
    (tmp_path / "log.1").write_bytes(entry(0))
    LogFile(LogConfig(str(path), max_size=10, max_file=3, compress=True), later)
    later.run()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log", "log.1.gz"]
    (tmp_path / "log.1").write_bytes(entry(0))
    LogFile(LogConfig(str(path), max_size=10, max_file=3, compress=True), later)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log", "log.1.gz"]


def test_a_folder_that_is_gone_does_no_harm(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    log = LogFile(LogConfig(f"{folder}/log", max_size=10, max_file=2), Later())
    log.append([entry(0)])
    (folder / "log").unlink()
    folder.rmdir()
    log.append([entry(1)])
    assert log.lost is not None


def test_a_full_disk_loses_lines_and_is_told_once() -> None:
    told: list[str] = []
    log = LogFile(LogConfig(path="/dev/full"), Later())
    log.on_lost = told.append
    log.append([entry(1)])
    log.append([entry(2)])
    assert len(told) == 1
    assert "No space left" in told[0]
    log.close()
