"""A stream, compressed or not, read as plain bytes in amounts that the reader chooses."""

from wherry.oci.compression import Readable, plain_pieces, read_pieces

_READ = 256 << 10


class Inflated:
    """The plain bytes of a stream; nothing larger than a piece is kept."""

    def __init__(self, stream: Readable) -> None:
        """Nothing is read yet."""
        self._pieces = plain_pieces(read_pieces(stream, _READ))
        self._piece = b""
        self._at = 0

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, none at the end. Raises Corrupt for broken or cut data."""
        if size < 0:
            return b"".join(iter(lambda: self.read(_READ), b""))
        if self._at == len(self._piece):
            self._piece, self._at = next(self._pieces, b""), 0
        data = self._piece[self._at : self._at + size]
        self._at += len(data)
        return data


def read_exactly(stream: Readable, size: int) -> bytes:
    """`size` bytes, fewer only at the end."""
    data = stream.read(size)
    if len(data) == size or not data:
        return data
    parts = bytearray(data)
    while len(parts) < size and (data := stream.read(size - len(parts))):
        parts += data
    return bytes(parts)
