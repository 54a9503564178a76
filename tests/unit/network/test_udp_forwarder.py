"""The ICMP errors that tell a container that its datagram went nowhere."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from wherry.network.udp_forwarder import unreachable

PORT = st.integers(1, 65535)
ADDRESS = st.ip_addresses(v=4).map(str)


def ones_sum(data: bytes) -> int:
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@given(ADDRESS, PORT, ADDRESS, PORT)
def test_both_checksums_are_right(client: str, source: int, local: str, port: int) -> None:
    error = unreachable((client, source), (local, port), 13)
    assert error[:2] == b"\3\15" and len(error) == 8 + 20 + 8
    assert ones_sum(error) == ones_sum(error[8:28]) == 0xFFFF
    assert struct.unpack(">HH", error[28:32]) == (source, port)
