"""Content digests (image-spec, descriptor.md, section Digests)."""

import hashlib
import re
from typing import NewType

from wherry.kit.errors import InvalidInput

Digest = NewType("Digest", str)
"""`algorithm:encoded`, already checked by `parse`."""

ENCODED = {"sha256": re.compile("[a-f0-9]{64}"), "sha512": re.compile("[a-f0-9]{128}")}


def parse(text: str) -> Digest:
    """Check the form and the algorithm. Raises InvalidInput."""
    algorithm, _, encoded = text.partition(":")
    pattern = ENCODED.get(algorithm)
    if pattern is None or not pattern.fullmatch(encoded):
        raise InvalidInput(f"invalid digest {text!r}: want sha256:<64 hex digits>")
    return Digest(text)


def of_bytes(data: bytes) -> Digest:
    """The sha256 digest of the data."""
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def from_hex(encoded: str) -> Digest:
    """A sha256 digest from its 64 digits. Raises InvalidInput."""
    return parse("sha256:" + encoded)


def algorithm_of(digest: Digest) -> str:
    """`sha256` or `sha512`."""
    return digest.partition(":")[0]


def hex_of(digest: Digest) -> str:
    """The part after the colon."""
    return digest.partition(":")[2]


def chain_id(diff_ids: list[Digest] | tuple[Digest, ...]) -> Digest:
    """ChainID of a stack of layers, lowest first (image-spec, config.md, Layer ChainID)."""
    if not diff_ids:
        raise InvalidInput("an image without layers has no chain id")
    chain = diff_ids[0]
    for diff_id in diff_ids[1:]:
        chain = of_bytes(f"{chain} {diff_id}".encode())
    return chain
