"""Reading JSON as Go does: the texts are what dockerd 20.10 answers to the same bodies."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.dockerapi.containers import ContainerConfig, ContainerCreateRequest, decode_create
from wherry.dockerapi.decode import decode_json
from wherry.dockerapi.encode import encode_json
from wherry.dockerapi.execs import ExecStartRequest
from wherry.dockerapi.host_config import HostConfig, PortBinding, RestartPolicy
from wherry.kit.errors import InvalidInput

STRUCT = "json: cannot unmarshal {} into Go struct field {}"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "got EOF while reading request body"),
        (b"  \n", "got EOF while reading request body"),
        (b"{", "unexpected EOF"),
        (b'{"Image":"x', "unexpected EOF"),
        (b'{"Image":"x"} more', "unexpected content after JSON"),
        (b"[" * 100_000, "exceeded max depth"),
        (
            b"[]",
            "json: cannot unmarshal array into Go value of type runconfig.ContainerConfigWrapper",
        ),
        (
            b'{"Image":5}',
            STRUCT.format("number", "ContainerConfigWrapper.Image of type string"),
        ),
        (
            b'{"Tty":"yes"}',
            STRUCT.format("string", "ContainerConfigWrapper.Tty of type bool"),
        ),
        (
            b'{"Labels":[]}',
            STRUCT.format("array", "ContainerConfigWrapper.Labels of type map[string]string"),
        ),
        (
            b'{"Labels":{"a":1}}',
            STRUCT.format("number", "ContainerConfigWrapper.Labels of type string"),
        ),
        (
            b'{"HostConfig":{"Memory":"x"}}',
            STRUCT.format("string", "HostConfig.HostConfig.Memory of type int64"),
        ),
        (
            b'{"HostConfig":{"Memory":1.5}}',
            STRUCT.format("number 1.5", "HostConfig.HostConfig.Memory of type int64"),
        ),
        (
            b'{"HostConfig":{"BlkioWeight":70000}}',
            STRUCT.format("number 70000", "HostConfig.HostConfig.BlkioWeight of type uint16"),
        ),
        (
            b'{"HostConfig":{"Binds":"x"}}',
            STRUCT.format("string", "HostConfig.HostConfig.Binds of type []string"),
        ),
        (
            b'{"HostConfig":{"Binds":[1]}}',
            STRUCT.format("number", "HostConfig.HostConfig.Binds of type string"),
        ),
        (
            b'{"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":80}]}}}',
            STRUCT.format("number", "PortBinding.HostConfig.PortBindings.HostPort of type string"),
        ),
        (
            b'{"HostConfig":{"ConsoleSize":[-1]}}',
            STRUCT.format("number -1", "HostConfig.HostConfig.ConsoleSize of type uint"),
        ),
        (
            b'{"HostConfig":{"Ulimits":[5]}}',
            STRUCT.format("number", "HostConfig.HostConfig.Ulimits of type units.Ulimit"),
        ),
        (
            b'{"HostConfig":{"RestartPolicy":5}}',
            STRUCT.format(
                "number", "HostConfig.HostConfig.RestartPolicy of type container.RestartPolicy"
            ),
        ),
        (
            b'{"ExposedPorts":{"80":5}}',
            STRUCT.format("number", "ContainerConfigWrapper.ExposedPorts of type struct {}"),
        ),
        (b"null", "Config cannot be empty in order to create a container"),
        (b"{}", "Config cannot be empty in order to create a container"),
        (b'{"HostConfig":{}}', "Config cannot be empty in order to create a container"),
    ],
)
def test_a_bad_body_is_the_clients_error_with_go_text(body: bytes, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_create(body)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "body", [b"nope", b'{"Image":"x",}', b'{"Image":"x" "y"}', b'{"Image":"\\x"}', b"\x00", b"}"]
)
def test_broken_json_is_always_invalid_input(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_create(body)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    try:
        decode_create(body)
    except InvalidInput:
        return


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["Image", "HostConfig", "Cmd", "Mounts", "Labels", "PortBindings"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_json_raises_anything_else(tree: object) -> None:
    body = msgspec.json.encode(tree)
    try:
        decode_create(body)
    except InvalidInput:
        return


def test_null_is_the_zero_value_everywhere() -> None:
    plain = decode_create(b'{"Image":"x"}')
    nulls = ",".join(
        f'"{name}":null' for name in ContainerConfig.__struct_encode_fields__ if name != "Image"
    )
    host = ",".join(f'"{name}":null' for name in HostConfig.__struct_encode_fields__)
    body = f'{{"Image":"x",{nulls},"HostConfig":{{{host}}}}}'.encode()
    assert decode_create(body) == plain


def test_names_match_in_any_case_and_unknown_ones_are_ignored() -> None:
    request = decode_create(b'{"image":"x","HOSTCONFIG":{"memory":7,"What":1},"Nope":[]}')
    assert (request.image, request.host_config.memory) == ("x", 7)


def test_the_last_of_a_repeated_name_wins() -> None:
    assert decode_create(b'{"Image":"a","image":"b"}').image == "b"


def test_a_command_may_be_one_text() -> None:
    request = decode_create(b'{"Image":"x","Cmd":"ls","Entrypoint":["/bin/sh"]}')
    assert (request.cmd, request.entrypoint) == (["ls"], ["/bin/sh"])


def test_null_in_a_list_or_map_is_that_types_zero() -> None:
    request = decode_create(b'{"Image":"x","Env":[null,"A=1"],"Labels":{"a":null}}')
    assert (request.env, request.labels) == (["", "A=1"], {"a": ""})


def test_broken_utf8_becomes_the_replacement_character() -> None:
    assert decode_create(b'{"Image":"a\xffb"}').image == "a\ufffdb"


@pytest.mark.parametrize(
    ("body", "size"), [(b"[1]", (1, 0)), (b"[1,2,3]", (1, 2)), (b"[]", (0, 0)), (b"null", (0, 0))]
)
def test_a_go_array_is_padded_and_cut(body: bytes, size: tuple[int, int]) -> None:
    request = decode_create(b'{"Image":"x","HostConfig":{"ConsoleSize":' + body + b"}}")
    assert request.host_config.console_size == size


def test_old_clients_put_limits_beside_the_host_config() -> None:
    beside = decode_create(
        b'{"Image":"x","Memory":9,"CpuShares":3,"Cpuset":"0","HostConfig":{"MemorySwap":5}}'
    )
    assert beside.host_config.memory == 9
    assert beside.host_config.memory_swap == 5
    assert (beside.host_config.cpu_shares, beside.host_config.cpuset_cpus) == (3, "0")


def test_older_clients_had_no_host_config_at_all() -> None:
    request = decode_create(b'{"Image":"x","Binds":["/a:/b"],"RestartPolicy":{"Name":"always"}}')
    assert request.host_config.binds == ["/a:/b"]
    assert request.host_config.restart_policy == RestartPolicy("always")


def test_a_missing_network_mode_is_default() -> None:
    assert decode_create(b'{"Image":"x"}').host_config.network_mode == "default"


def test_ports_of_the_cli() -> None:
    request = decode_create(
        b'{"Image":"x","HostConfig":{"PortBindings":'
        b'{"80/tcp":[{"HostIp":"","HostPort":"8080"}],"81/tcp":null}}}'
    )
    assert request.host_config.port_bindings == {
        "80/tcp": [PortBinding("", "8080")],
        "81/tcp": None,
    }


def test_exec_start_takes_an_empty_object_and_nulls() -> None:
    assert decode_json(b'{"ConsoleSize":null}', ExecStartRequest) == ExecStartRequest()


def test_what_was_written_is_read_again() -> None:
    request = decode_create(
        b'{"Image":"x","Cmd":["a"],"StopTimeout":3,"HostConfig":{"Init":true,'
        b'"Mounts":[{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"Options":[["a","b"],["c"]]}}]},'
        b'"NetworkingConfig":{"EndpointsConfig":{"n":{"Aliases":["z"],"GwPriority":4}}}}'
    )
    assert decode_json(encode_json(request), ContainerCreateRequest) == request
