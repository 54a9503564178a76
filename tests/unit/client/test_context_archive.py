"""Exported contexts that are none."""

import io
import zipfile

import pytest

from wherry.client import context_archive
from wherry.kit.errors import InvalidInput


def zipped(*, encrypted: bool = False) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("meta.json", '{"Name": "x", "Metadata": {}, "Endpoints": {}}')
    data = bytearray(buffer.getvalue())
    if encrypted:  # bit 0 of the flags, in the local header and in the directory (APPNOTE 4.4.4)
        data[6] |= 1
        data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def test_one_that_is() -> None:
    assert context_archive.read(zipped(), "mine").name == "mine"


@pytest.mark.parametrize(
    "data", [zipped(encrypted=True), zipped()[:-30], b"PK", b"", b"x" * 600, b"\0" * 1024]
)
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        context_archive.read(data, "mine")


def test_broken_data_in_a_zip() -> None:
    data = bytearray(zipped())
    at = data.index(b"meta.json") + len("meta.json")
    data[at : at + 8] = b"\xff" * 8
    with pytest.raises(InvalidInput):
        context_archive.read(bytes(data), "mine")
