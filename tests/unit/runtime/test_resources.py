"""Reading linux.resources."""

from typing import Any

import pytest

from wherry.kit.errors import InvalidInput
from wherry.runtime import resources as r
from wherry.runtime.resources import parse_resources


def test_nothing_asked() -> None:
    assert parse_resources(None) == parse_resources({}) == r.Resources()
    assert parse_resources({"memory": None, "devices": None, "unknown": 3}) == r.Resources()


def test_everything() -> None:
    device = {"major": 8, "minor": 0}
    parsed = parse_resources(
        {
            "memory": {"limit": 1 << 30, "swap": -1, "swappiness": 0, "disableOOMKiller": True},
            "cpu": {"shares": 512, "quota": -1, "period": 50000, "cpus": "0-1,3", "idle": 1},
            "pids": {"limit": 0},
            "blockIO": {
                "weight": 500,
                "weightDevice": [device | {"weight": 100}],
                "throttleReadBpsDevice": [device | {"rate": 1048576}],
                "throttleWriteIOPSDevice": [device | {"rate": 0}],
            },
            "hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}],
            "network": {"classID": 1, "priorities": [{"name": "eth0", "priority": 5}]},
            "devices": [
                {"allow": False, "access": "rwm"},
                {"allow": True, "type": "c", "major": 10, "minor": -1, "access": "mr"},
            ],
            "rdma": {"mlx5_1": {"hcaHandles": 3}},
            "unified": {"memory.high": "1000"},
        }
    )
    assert parsed == r.Resources(
        devices=(r.DeviceRule(False), r.DeviceRule(True, "c", 10, None, "rm")),
        memory=r.Memory(limit=1 << 30, swap=-1, swappiness=0, disable_oom_killer=True),
        cpu=r.Cpu(shares=512, quota=-1, period=50000, cpus="0-1,3", idle=1),
        pids=0,
        block_io=r.BlockIo(
            weight=500,
            weight_devices=(r.WeightDevice(8, 0, 100, None),),
            read_bps=(r.ThrottleDevice(8, 0, 1048576),),
            write_iops=(r.ThrottleDevice(8, 0, 0),),
        ),
        hugepage_limits=(r.HugepageLimit("2MB", 4194304),),
        network=r.Network(1, (r.InterfacePriority("eth0", 5),)),
        rdma=(r.Rdma("mlx5_1", 3, None),),
        unified=(("memory.high", "1000"),),
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([], "linux.resources: expected an object"),
        ({"memory": {"limit": "1g"}}, "linux.resources.memory.limit: expected a whole number"),
        ({"memory": {"limit": True}}, "memory.limit: expected a whole number, got True"),
        ({"memory": {"limit": 1 << 63}}, "memory.limit: must be between"),
        ({"memory": {"swappiness": 101}}, "swappiness: must be between 0 and 100"),
        ({"memory": {"limit": 20, "swap": 10}}, "memory.swap: memory and swap together"),
        ({"memory": {"limit": -1, "swap": 10}}, "memory.swap: memory and swap together"),
        ({"memory": {"disableOOMKiller": 1}}, "disableOOMKiller: expected true or false"),
        ({"cpu": {"shares": -1}}, "cpu.shares: must be between 0"),
        ({"cpu": {"idle": 2}}, "cpu.idle: must be between 0 and 1"),
        ({"cpu": {"cpus": "0;1"}}, "cpu.cpus: has the wrong form, got '0;1'"),
        ({"cpu": {"mems": "0\n"}}, "cpu.mems: has the wrong form"),
        ({"blockIO": {"weight": 1 << 16}}, "blockIO.weight: must be between"),
        ({"blockIO": {"weightDevice": [{"major": 1, "minor": 1}]}}, "one of weight and leafWeight"),
        ({"blockIO": {"throttleReadBpsDevice": [{"major": 8}]}}, r"Device\[0\].minor: is missing"),
        ({"hugepageLimits": [{"limit": 1}]}, r"hugepageLimits\[0\].pageSize: is missing"),
        ({"hugepageLimits": [{"pageSize": "../2MB", "limit": 1}]}, "pageSize: has the wrong form"),
        ({"network": {"priorities": [{"name": "a/b"}]}}, "must be the name of a network interface"),
        ({"devices": [{"allow": True, "type": "x"}]}, r"devices\[0\].type: must be one of a, b, c"),
        ({"devices": [{"access": "rx"}]}, r"devices\[0\].access: must be made of r, w and m"),
        ({"devices": [{"major": -2}]}, r"devices\[0\].major: must be between"),
        ({"devices": {}}, "devices: expected a list"),
        ({"rdma": {"a b": {"hcaHandles": 1}}}, "'a b' is not the name of a device"),
        ({"rdma": {"a": {}}}, "one of hcaHandles and hcaObjects"),
        ({"unified": {"../memory.max": "1"}}, "is not the name of a cgroup file"),
        ({"unified": {"memory.max": 1}}, "unified.memory.max: expected a string"),
    ],
)
def test_what_is_refused(value: Any, text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        parse_resources(value)
