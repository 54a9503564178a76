import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wherry.kit.errors import Corrupt, InvalidInput, NotFound
from wherry.volume.copyup import copy_up
from wherry.volume.local import LocalVolumes


@pytest.fixture
def volumes(tmp_path: Path) -> LocalVolumes:
    return LocalVolumes(str(tmp_path / "volumes"))


def test_a_volume_lives_in_its_folder(volumes: LocalVolumes, tmp_path: Path) -> None:
    made = volumes.create("data", labels={"a": "b"})
    assert made.path == str(tmp_path / "volumes/data/_data")
    (Path(made.path) / "file").write_bytes(b"x" * 5000)
    again = LocalVolumes(str(tmp_path / "volumes"))
    assert again.inspect("data") == made == again.list()[0]
    assert again.usage("data").inodes == 2
    assert again.create("data", labels={"other": "ignored"}) == made
    again.remove("data")
    assert os.listdir(tmp_path / "volumes") == []
    for call in (again.inspect, again.remove, again.usage):
        with pytest.raises(NotFound):
            call("data")


def test_without_a_name_it_gets_a_random_one(volumes: LocalVolumes) -> None:
    one, two = volumes.create(anonymous=True), volumes.create()
    assert len(one.name) == len(two.name) == 64
    assert one.name != two.name
    assert volumes.inspect(one.name).anonymous
    assert not volumes.inspect(two.name).anonymous


def test_options_stay_as_they_were_made(volumes: LocalVolumes) -> None:
    options = {"type": "tmpfs", "device": "tmpfs"}
    made = volumes.create("data", options=options)
    assert made.mount is not None
    assert volumes.create("data", options=options) == made
    assert volumes.create("data", options={**options, "o": "size=1m"}) == made
    with pytest.raises(InvalidInput):
        volumes.create("bad", options={"typo": "x"})
    assert [volume.name for volume in volumes.list()] == ["data"]


@pytest.mark.parametrize("name", ["a", "-a", ".ab", "a/b", "../x", "ab\n", "a b", "ä1", "x" * 300])
def test_names_are_dockers(volumes: LocalVolumes, name: str) -> None:
    with pytest.raises(InvalidInput):
        volumes.create(name)
    with pytest.raises(NotFound):
        volumes.inspect(name)
    with pytest.raises(NotFound):
        volumes.remove(name)


def test_a_broken_record_is_told(volumes: LocalVolumes, tmp_path: Path) -> None:
    volumes.create("data")
    (tmp_path / "volumes/data/volume.json").write_text("{")
    with pytest.raises(Corrupt, match=r"data/volume\.json"):
        volumes.inspect("data")


CRASH = """
import sys
from wherry.volume.local import LocalVolumes
volumes = LocalVolumes(sys.argv[1])
volumes.create("crash").path
volumes.remove("crash")
"""


@pytest.mark.parametrize("place", ["volume.create", "volume.remove"])
def test_kill_leaves_nothing_half(tmp_path: Path, place: str) -> None:
    environment = {**os.environ, "WHERRY_FAILPOINTS": f"{place}=kill"}
    command = [sys.executable, "-c", CRASH, str(tmp_path / "volumes")]
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path / "volumes")) == 1
    assert LocalVolumes(str(tmp_path / "volumes")).list() == []
    assert os.listdir(tmp_path / "volumes") == []


def test_copy_up_fills_an_empty_volume_only(volumes: LocalVolumes, tmp_path: Path) -> None:
    image = tmp_path / "image"
    (image / "sub").mkdir(parents=True)
    (image / "sub/file").write_text("from the image")
    image.chmod(0o1777)
    volume = Path(volumes.create("data").path)
    source = os.open(image, os.O_RDONLY)
    try:
        assert copy_up(source, str(volume)) == 2
        assert (volume / "sub/file").read_text() == "from the image"
        assert volume.stat().st_mode & 0o7777 == 0o1777
        (volume / "sub/file").write_text("the user's")
        (image / "more").write_text("x")
        assert copy_up(source, str(volume)) == 0
    finally:
        os.close(source)
    assert os.listdir(volume) == ["sub"]
    assert (volume / "sub/file").read_text() == "the user's"
