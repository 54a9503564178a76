"""The texts are what dockerd 20.10 (API 1.41) writes for the same objects."""

import json

from wherry.dockerapi.container_answers import ContainerInspect, Port, State
from wherry.dockerapi.containers import ContainerConfig
from wherry.dockerapi.encode import encode_json
from wherry.dockerapi.events import Actor, event
from wherry.dockerapi.host_config import HostConfig
from wherry.dockerapi.images import ImageDeleted
from wherry.dockerapi.stats import Stats
from wherry.dockerapi.system import Component

CONFIG_1_41 = (
    '{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,'
    '"AttachStderr":false,"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":null,'
    '"Image":"","Volumes":null,"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":null}\n'
)
HOST_CONFIG_1_41 = (
    "Binds ContainerIDFile LogConfig NetworkMode PortBindings RestartPolicy AutoRemove VolumeDriver"
    " VolumesFrom CapAdd CapDrop CgroupnsMode Dns DnsOptions DnsSearch ExtraHosts GroupAdd IpcMode"
    " Cgroup Links OomScoreAdj PidMode Privileged PublishAllPorts ReadonlyRootfs SecurityOpt"
    " UTSMode UsernsMode ShmSize Runtime ConsoleSize Isolation CpuShares Memory NanoCpus"
    " CgroupParent BlkioWeight BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps"
    " BlkioDeviceReadIOps BlkioDeviceWriteIOps CpuPeriod CpuQuota CpuRealtimePeriod"
    " CpuRealtimeRuntime CpusetCpus CpusetMems Devices DeviceCgroupRules DeviceRequests"
    " KernelMemory KernelMemoryTCP MemoryReservation MemorySwap MemorySwappiness OomKillDisable"
    " PidsLimit Ulimits CpuCount CpuPercent IOMaximumIOps IOMaximumBandwidth MaskedPaths"
    " ReadonlyPaths"
).split()
STATE_1_41 = (
    "Status Running Paused Restarting OOMKilled Dead Pid ExitCode Error StartedAt FinishedAt"
).split()


def test_an_empty_config_reads_as_dockerds() -> None:
    assert encode_json(ContainerConfig()).decode() == CONFIG_1_41


def test_the_host_config_has_dockerds_names_in_its_order() -> None:
    assert list(json.loads(encode_json(HostConfig(runtime="runc")))) == HOST_CONFIG_1_41


def test_the_state_has_dockerds_names() -> None:
    assert list(json.loads(encode_json(State()))) == STATE_1_41


def test_zero_values_are_left_out_only_where_go_says_so() -> None:
    assert encode_json(Port(private_port=80, type="tcp")) == b'{"PrivatePort":80,"Type":"tcp"}\n'
    assert encode_json([ImageDeleted(untagged="a:1")]) == b'[{"Untagged":"a:1"}]\n'
    assert "Init" not in json.loads(encode_json(HostConfig()))
    assert json.loads(encode_json(HostConfig(init=False)))["Init"] is False


def test_map_keys_are_sorted_and_fields_are_not() -> None:
    text = encode_json(Component("Engine", "1", {"b": "2", "a": "1"}))
    assert text == b'{"Name":"Engine","Version":"1","Details":{"a":"1","b":"2"}}\n'


def test_no_html_escapes() -> None:
    assert b'"a<b>&c"' in encode_json(ContainerConfig(user="a<b>&c"))


def test_sizes_appear_when_they_were_asked_for() -> None:
    assert b"SizeRw" not in encode_json(ContainerInspect("a"))
    assert b'"SizeRw":0,"SizeRootFs":5' in encode_json(
        ContainerInspect("a", size_rw=0, size_root_fs=5)
    )


def test_empty_stats_keep_their_empty_objects() -> None:
    tree = json.loads(encode_json(Stats()))
    assert tree["pids_stats"] == {} and tree["memory_stats"] == {}
    assert tree["cpu_stats"]["throttling_data"]["periods"] == 0
    assert "system_cpu_usage" not in tree["cpu_stats"]


def test_old_event_fields_are_for_containers_and_images() -> None:
    made = event("container", "create", Actor("abc", {"image": "bb:1"}), 1_795_534_703_696_572_270)
    assert encode_json(made) == (
        b'{"status":"create","id":"abc","from":"bb:1","Type":"container","Action":"create",'
        b'"Actor":{"ID":"abc","Attributes":{"image":"bb:1"}},"scope":"local","time":1795534703,'
        b'"timeNano":1795534703696572270}\n'
    )
    tree = json.loads(encode_json(event("volume", "create", Actor("v"), 5)))
    assert not {"status", "id", "from"} & set(tree)


def test_bytes_that_are_no_text_are_replaced_as_go_does() -> None:
    name = b"a\xffb".decode("utf-8", "surrogateescape")
    assert encode_json({name: [name]}) == b'{"a\xef\xbf\xbdb":["a\xef\xbf\xbdb"]}\n'
