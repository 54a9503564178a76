"""Log drivers' options, tags and addresses."""

import pytest

from wherry.dockerapi.containers import ContainerCreateRequest
from wherry.dockerapi.host_config import LogConfig
from wherry.engine.containers import log_options
from wherry.engine.records import ContainerRecord
from wherry.kit.errors import InvalidInput, Unsupported
from wherry.oci.digest import of_bytes


def record() -> ContainerRecord:
    request = ContainerCreateRequest(
        image="x",
        cmd=["true"],
        labels={"app.name": "shop", "app.tier": "web", "other": "x"},
        env=["APP_HOME=/srv", "PATH=/bin", "bare"],
    )
    digest = of_bytes(b"x")
    return ContainerRecord("12" * 32, "web", 0, request, request, digest, "img:1", digest, "linux")


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("", "121212121212"),
        ("{{.Name}}", "web"),
        ("a/{{ .Name }}/{{.ImageName}}", "a/web/img:1"),
        ("{{.FullID}}", "12" * 32),
        ("{{.DaemonName}}", "docker"),
        ("plain", "plain"),
    ],
)
def test_tags(template: str, found: str) -> None:
    assert log_options.tag(template, record()) == found


@pytest.mark.parametrize("template", ["{{.Nosuch}}", "{{ if .Name }}x{{ end }}"])
def test_tags_that_are_not_understood(template: str) -> None:
    with pytest.raises(InvalidInput):
        log_options.tag(template, record())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "unix:///dev/log"),
        ("udp://1.2.3.4", "udp://1.2.3.4:514"),
        ("tcp://host:99", "tcp://host:99"),
        ("unixgram:///tmp", "unixgram:///tmp"),
    ],
)
def test_addresses(text: str, found: str) -> None:
    assert log_options.syslog_address(text) == found


@pytest.mark.parametrize("log", [
    LogConfig("nosuch"),
    LogConfig("json-file", {"syslog-address": "x"}),
    LogConfig("syslog", {"max-size": "1m"}),
    LogConfig("syslog", {"syslog-address": "1.2.3.4"}),
    LogConfig("syslog", {"syslog-address": "unix:///nosuch/socket"}),
    LogConfig("syslog", {"syslog-facility": "nosuch"}),
    LogConfig("syslog", {"syslog-facility": "24"}),
    LogConfig("syslog", {"syslog-format": "rfc1"}),
    LogConfig("local", {"mode": "fast"}),
    LogConfig("local", {"max-buffer-size": "1m"}),
])  # fmt: skip
def test_options_that_make_no_sense(log: LogConfig) -> None:
    with pytest.raises(InvalidInput):
        log_options.check(log)


def test_syslog_over_tls_is_still_missing() -> None:
    with pytest.raises(Unsupported):
        log_options.check(LogConfig("syslog", {"syslog-address": "tcp+tls://host:1"}))


def test_what_the_monitor_is_told() -> None:
    log = LogConfig("syslog", {"syslog-address": "udp://h:1", "syslog-facility": "local0"})
    assert dict(log_options.remote(log, record(), {})) == {
        "kind": "syslog", "address": "udp://h:1", "facility": "16", "format": "",
        "tag": "121212121212",
    }  # fmt: skip
    assert log_options.remote(LogConfig("json-file"), record(), {}) == ()


@pytest.mark.parametrize(("options", "found"), [
    ({}, {}),
    ({"labels": "other,nosuch"}, {"other": "x"}),
    ({"labels-regex": "^app"}, {"app.name": "shop", "app.tier": "web"}),
    ({"labels": "other", "labels-regex": "tier$"}, {"other": "x", "app.tier": "web"}),
    ({"env-regex": "_HO"}, {"APP_HOME": "/srv"}),
    ({"env": "PATH,bare", "tag": "{{.Name}}"}, {"PATH": "/bin", "tag": "web"}),
])  # fmt: skip
def test_what_goes_with_each_line(options: dict[str, str], found: dict[str, str]) -> None:
    assert log_options.attributes(options, record()) == found


@pytest.mark.parametrize("option", ["labels-regex", "env-regex"])
def test_an_expression_that_is_none(option: str) -> None:
    with pytest.raises(InvalidInput, match=f"{option}: "):
        log_options.attributes({option: "("}, record())
