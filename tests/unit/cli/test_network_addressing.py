"""The IPAM that `network create` makes from its flags."""

import pytest

from wherry.cli.network import addressing
from wherry.kit.errors import InvalidInput


def test_what_lies_in_a_subnet_goes_with_it() -> None:
    made = addressing.pools(
        ["10.1.0.0/16", "fd00::/64"],
        ["10.1.5.0/24"],
        ["fd00::1", "10.1.5.254"],
        {"printer": "10.1.0.9"},
    )
    assert made == [
        {
            "Subnet": "10.1.0.0/16",
            "IPRange": "10.1.5.0/24",
            "Gateway": "10.1.5.254",
            "AuxiliaryAddresses": {"printer": "10.1.0.9"},
        },
        {"Subnet": "fd00::/64", "Gateway": "fd00::1"},
    ]


@pytest.mark.parametrize(
    ("subnets", "ranges", "gateways", "aux"),
    [
        ([], ["10.1.0.0/24"], [], {}),
        ([], [], ["10.1.0.1"], {}),
        (["10.1.0.0/33"], [], [], {}),
        (["10.1.0.0"], [], [], {}),
        (["10.1.0.0/16", "10.1.1.0/24"], [], [], {}),
        (["10.1.0.0/16"], ["10.2.0.0/24"], [], {}),
        (["10.1.0.0/16"], [], ["10.2.0.1"], {}),
        (["10.1.0.0/16"], [], ["nonsense"], {}),
        (["10.1.0.0/16", "10.2.0.0/16"], [], ["10.1.0.1", "10.1.0.2"], {}),
        (["10.1.0.0/16"], [], [], {"x": "10.2.0.1"}),
    ],
)
def test_what_makes_no_sense_is_refused(
    subnets: list[str], ranges: list[str], gateways: list[str], aux: dict[str, str]
) -> None:
    with pytest.raises(InvalidInput):
        addressing.pools(subnets, ranges, gateways, aux)
