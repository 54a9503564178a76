"""What each API version shows: from the newest form of an answer to the form a version has.

The values of `dockerapi` hold every field there ever was. A table a resource says what a version
takes out or writes differently, after the API's published history and dockerd's own conversions.
Trees are the dicts that `to_tree` made, changed in place.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from wherry.dockerapi.container_answers import ContainerInspect, ContainerSummary
from wherry.dockerapi.encode import to_tree
from wherry.dockerapi.images import ImageInspect, ImageSummary
from wherry.dockerapi.networks import NetworkResource
from wherry.dockerapi.stats import Stats
from wherry.dockerapi.system import DiskUsage, Info
from wherry.dockerapi.version import ApiVersion
from wherry.kit.clock import ZERO
from wherry.kit.ids import short_id

Tree = dict[str, Any]
Change = Callable[[Tree], None]


class Rule(NamedTuple):
    """A change for the versions from `first` up to, and without, `end`."""

    first: ApiVersion
    end: ApiVersion
    change: Change


_FIRST: Final = ApiVersion(1, 0)
_LAST: Final = ApiVersion(9, 0)


def before(minor: int, change: Change) -> Rule:
    """For versions that are older than 1.minor."""
    return Rule(_FIRST, ApiVersion(1, minor), change)


def since(minor: int, change: Change) -> Rule:
    """For 1.minor and newer."""
    return Rule(ApiVersion(1, minor), _LAST, change)


def drop(*names: str) -> Change:
    """Take fields out."""

    def change(tree: Tree) -> None:
        for name in names:
            tree.pop(name, None)

    return change


def at(path: str, change: Change) -> Change:
    """Change what is below: `HostConfig.Mounts[]` is each of a list, `Networks{}` of a map."""
    steps = path.replace("[]", ".[]").replace("{}", ".{}").split(".")

    def walk(tree: Any, left: list[str]) -> None:
        if not left:
            change(tree)
        elif left[0] in ("[]", "{}"):
            for each in (tree if left[0] == "[]" else tree.values()) if tree else ():
                walk(each, left[1:])
        elif tree and tree.get(left[0]) is not None:
            walk(tree[left[0]], left[1:])

    return lambda tree: walk(tree, steps)


def _endpoints(*names: str) -> Change:
    """Take fields out of each network; as `at` would, but lists of containers wait for it."""

    def change(tree: Tree) -> None:
        for endpoint in (tree["NetworkSettings"]["Networks"] or {}).values():
            for name in names:
                endpoint.pop(name, None)

    return change


def _drop_empty(*names: str) -> Change:
    def change(tree: Tree) -> None:
        for name in names:
            if not tree.get(name):
                tree.pop(name, None)

    return change


def _old_aliases(tree: Tree) -> None:
    """The short id among the aliases of networks with names, once it is known there by them."""
    short = short_id(tree["Id"])
    for name, endpoint in (tree["NetworkSettings"]["Networks"] or {}).items():
        if name not in ("none", "host", "bridge", "default") and endpoint.get("DNSNames"):
            extra = [short, tree["Config"]["Hostname"]]
            aliases = dict.fromkeys([*(endpoint["Aliases"] or []), *extra])
            endpoint["Aliases"] = [alias for alias in aliases if alias]


def _volumes_of_1_19(tree: Tree) -> None:
    """`Volumes` and `VolumesRW` instead of `Mounts`; limits and driver inside `Config`."""
    mounts, host, config = tree.pop("Mounts"), tree["HostConfig"], tree["Config"]
    tree["Volumes"] = {one["Destination"]: one["Source"] for one in mounts}
    tree["VolumesRW"] = {one["Destination"]: one["RW"] for one in mounts}
    config.setdefault("MacAddress", tree["NetworkSettings"]["MacAddress"])
    config.setdefault("NetworkDisabled", False)
    config.setdefault("ExposedPorts", None)
    config["VolumeDriver"] = host["VolumeDriver"]
    config["Memory"] = host["Memory"]
    config["MemorySwap"] = host["MemorySwap"]
    config["CpuShares"] = host["CpuShares"]
    config["Cpuset"] = host["CpusetCpus"]


CONTAINER: Final = (
    since(42, at("HostConfig", _drop_empty("KernelMemory", "KernelMemoryTCP"))),
    before(48, drop("ImageManifestDescriptor")),
    before(48, _endpoints("GwPriority")),
    before(46, at("HostConfig.Mounts[].TmpfsOptions", drop("Options"))),
    before(45, _old_aliases),
    before(45, at("HostConfig.Mounts[].VolumeOptions", drop("Subpath"))),
    before(44, _endpoints("DNSNames")),
    before(44, at("Config.Healthcheck", drop("StartInterval"))),
    before(
        44,
        at(
            "HostConfig.Mounts[].BindOptions",
            drop("ReadOnlyNonRecursive", "ReadOnlyForceRecursive"),
        ),
    ),
    before(43, at("HostConfig", drop("Annotations"))),
    before(42, at("HostConfig.Mounts[].BindOptions", drop("CreateMountpoint"))),
    before(21, at("NetworkSettings", drop("Networks"))),
    before(20, _volumes_of_1_19),
)

SUMMARY: Final = (
    before(48, drop("ImageManifestDescriptor")),
    before(48, _endpoints("GwPriority")),
    before(46, at("HostConfig", drop("Annotations"))),
    before(44, _endpoints("DNSNames")),
)

_RUNTIME_ONLY = (
    "Hostname Domainname AttachStdin AttachStdout AttachStderr Tty OpenStdin StdinOnce Image"
    " NetworkDisabled MacAddress StopTimeout"
).split()


def _image_config_only(tree: Tree) -> None:
    """The image's own configuration: no fields of containers, and no empty ones."""
    config = tree["Config"]
    drop(*_RUNTIME_ONLY)(config)
    _drop_empty(*config)(config)


def _zero_created(tree: Tree) -> None:
    tree["Created"] = tree["Created"] or ZERO


def _virtual_size(tree: Tree) -> None:
    tree["VirtualSize"] = tree["Size"]


IMAGE: Final = (
    before(44, _virtual_size),
    before(44, _zero_created),
    before(44, at("Config.Healthcheck", drop("StartInterval"))),
    before(48, drop("Descriptor")),
    since(44, drop("VirtualSize")),
    since(44, _drop_empty("Created")),
    since(45, drop("Container")),  # docker-compose 1.29 fails without ContainerConfig
    since(50, _image_config_only),
)

_NO_TAG = ["<none>:<none>"]
_NO_DIGEST = ["<none>@<none>"]


def _none_for_untagged(tree: Tree) -> None:
    tags, digests = tree["RepoTags"], tree["RepoDigests"]
    tree["RepoTags"] = tags or (None if digests else _NO_TAG)
    tree["RepoDigests"] = digests or (None if tags else _NO_DIGEST)


def _plain_untagged(tree: Tree) -> None:
    for name, none in (("RepoTags", _NO_TAG), ("RepoDigests", _NO_DIGEST)):
        names = list(tree[name] or [])
        tree[name] = [] if names == none else names


def _uncounted(tree: Tree) -> None:
    tree["Containers"] = -1


IMAGE_IN_USAGE: Final = (
    before(43, _none_for_untagged),
    since(43, _plain_untagged),
    before(44, _virtual_size),
    since(44, drop("VirtualSize")),
    before(48, drop("Descriptor")),
)
IMAGE_SUMMARY: Final = (*IMAGE_IN_USAGE, before(51, _uncounted))

USAGE: Final = (since(42, drop("BuilderSize")),)

NETWORK: Final = (before(48, drop("EnableIPv4")),)


def _expected_commits(tree: Tree) -> None:
    for name in ("ContainerdCommit", "RuncCommit", "InitCommit"):
        tree[name]["Expected"] = tree[name]["ID"]


def _names_of_security_options(tree: Tree) -> None:
    """Before 1.25 `seccomp`, later `name=seccomp,profile=default`."""
    tree["ExecutionDriver"] = "<not supported>"
    options = tree["SecurityOptions"] or []
    tree["SecurityOptions"] = [one.split(",")[0].removeprefix("name=") for one in options]


def _unknown_texts(tree: Tree) -> None:
    for name in ("KernelVersion", "OperatingSystem"):
        tree[name] = tree[name] or "<unknown>"


def _null_artifacts(tree: Tree) -> None:
    tree["AllowNondistributableArtifactsCIDRs"] = None
    tree["AllowNondistributableArtifactsHostnames"] = None


_ARTIFACTS = ("AllowNondistributableArtifactsCIDRs", "AllowNondistributableArtifactsHostnames")
INFO: Final = (
    before(25, _names_of_security_options),
    before(39, _unknown_texts),
    before(41, drop("CgroupVersion", "DefaultAddressPools")),
    since(42, drop("KernelMemory")),
    since(42, _drop_empty("KernelMemoryTCP")),
    before(44, at("Runtimes{}", drop("status"))),
    before(44, drop("CDISpecDirs")),
    Rule(ApiVersion(1, 48), ApiVersion(1, 49), at("RegistryConfig", _null_artifacts)),
    since(49, at("RegistryConfig", drop(*_ARTIFACTS))),
    before(49, _expected_commits),
    since(49, at("ContainerdCommit", drop("Expected"))),
    since(49, at("RuncCommit", drop("Expected"))),
    since(49, at("InitCommit", drop("Expected"))),
    before(49, drop("FirewallBackend")),
    before(50, drop("DiscoveredDevices")),
    since(50, drop("BridgeNfIptables", "BridgeNfIp6tables")),
)


def _one_network(tree: Tree) -> None:
    """Before 1.21 a container had one network; its counters are the sums."""
    networks = tree.pop("networks", None) or {}
    names = [name for one in networks.values() for name in one]
    tree["network"] = {
        name: sum(one[name] for one in networks.values()) for name in dict.fromkeys(names)
    }


STATS: Final = (before(21, _one_network),)


def apply(rules: Iterable[Rule], tree: Tree, version: ApiVersion) -> Tree:
    """The tree in the form that the version has."""
    for rule in rules:
        if rule.first <= version < rule.end:
            rule.change(tree)
    return tree


def container(value: ContainerInspect, version: ApiVersion) -> Tree:
    """GET /containers/{id}/json."""
    return apply(CONTAINER, to_tree(value), version)


def summaries(values: Iterable[ContainerSummary], version: ApiVersion) -> list[Tree]:
    """GET /containers/json."""
    rules = [rule for rule in SUMMARY if rule.first <= version < rule.end]
    return [apply(rules, to_tree(value), version) for value in values]


def image(value: ImageInspect, version: ApiVersion) -> Tree:
    """GET /images/{name}/json."""
    return apply(IMAGE, to_tree(value), version)


def image_summaries(values: Iterable[ImageSummary], version: ApiVersion) -> list[Tree]:
    """GET /images/json."""
    return [apply(IMAGE_SUMMARY, to_tree(value), version) for value in values]


def network(value: NetworkResource, version: ApiVersion) -> Tree:
    """GET /networks/{id}."""
    return apply(NETWORK, to_tree(value), version)


def info(value: Info, version: ApiVersion) -> Tree:
    """GET /info."""
    return apply(INFO, to_tree(value), version)


def stats(value: Stats, version: ApiVersion) -> Tree:
    """GET /containers/{id}/stats."""
    return apply(STATS, to_tree(value), version)


def usage(value: DiskUsage, version: ApiVersion) -> Tree:
    """GET /system/df."""
    tree = apply(USAGE, to_tree(value), version)
    for one in tree["Images"] or ():
        apply(IMAGE_IN_USAGE, one, version)
    for one in tree["Containers"] or ():
        apply(SUMMARY, one, version)
    return tree
