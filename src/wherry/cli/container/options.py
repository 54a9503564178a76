"""The flags of `run` and `create`: names, kinds and help as Docker 20.10 has them."""

from wherry.cli import values
from wherry.cli.container import checks
from wherry.cli.flags import Flag, listing, number, switch, text


def size(names: str, help: str) -> Flag:
    """A flag with a number of bytes as its value."""
    return Flag(names, "bytes", help, read=values.size, default=0)


def span(names: str, help: str) -> Flag:
    """A flag with a time span as its value, kept in nanoseconds."""
    return Flag(names, "duration", help, read=values.duration, default=0)


def alias(names: str, dest: str, *, many: bool = True) -> Flag:
    """An older name of another flag."""
    return Flag(names, "list", "", many=many, hidden=True, dest=dest)


PROCESS = (
    listing("attach a", "Attach to STDIN, STDOUT or STDERR", read=checks.stream),
    listing("env e", "Set environment variables", read=checks.variable),
    listing("env-file", "Read in a file of environment variables"),
    text("entrypoint", "Overwrite the default ENTRYPOINT of the image", default=None),
    listing("group-add", "Add additional groups to join"),
    text("hostname h", "Container host name"),
    text("domainname", "Container NIS domain name"),
    switch("interactive i", "Keep STDIN open even if not attached"),
    listing("label l", "Set meta data on a container", read=checks.label),
    listing("label-file", "Read in a line delimited file of labels"),
    text("name", "Assign a name to the container"),
    text("stop-signal", "Signal to stop a container"),
    number("stop-timeout", "Timeout (in seconds) to stop a container", default=None),
    switch("tty t", "Allocate a pseudo-TTY"),
    Flag("ulimit", "ulimit", "Ulimit options", read=checks.ulimit, many=True),
    text("user u", "Username or UID (format: <name|uid>[:<group|gid>])"),
    text("workdir w", "Working directory inside the container"),
    Flag(
        "init",
        "bool",
        "Run an init that forwards signals and reaps processes",
        read=values.boolean,
        default=None,
    ),
    text("restart", "Restart policy to apply when a container exits", default="no"),
    switch("rm", "Automatically remove the container when it exits"),
    text("cidfile", "Write the container ID to the file"),
    text("platform", "Set platform if server is multi-platform capable"),
    text("pull", 'Pull image before creating ("always"|"missing"|"never")', default="missing"),
    text("runtime", "Runtime to use for this container"),
    Flag(
        "disable-content-trust",
        "bool",
        "Skip image verification",
        read=values.boolean,
        default=True,
    ),
)

SECURITY = (
    listing("cap-add", "Add Linux capabilities"),
    listing("cap-drop", "Drop Linux capabilities"),
    switch("privileged", "Give extended privileges to this container"),
    switch("read-only", "Mount the container's root filesystem as read only"),
    listing("security-opt", "Security Options"),
    text("userns", "User namespace to use"),
    text("cgroupns", "Cgroup namespace to use (host|private)"),
    text("cgroup-parent", "Optional parent cgroup for the container"),
    text("ipc", "IPC mode to use"),
    text("isolation", "Container isolation technology"),
    text("pid", "PID namespace to use"),
    text("uts", "UTS namespace to use"),
    Flag("sysctl", "map", "Sysctl options", read=checks.sysctl, many=True),
    Flag("annotation", "map", "Add an annotation for the runtime (API 1.43)", many=True),
)

NETWORK = (
    listing("add-host", "Add a custom host-to-IP mapping (host:ip)", read=checks.extra_host),
    listing("dns", "Set custom DNS servers", read=checks.address),
    listing("dns-option", "Set DNS options"),
    alias("dns-opt", "dns_option"),
    listing("dns-search", "Set custom DNS search domains", read=checks.search_domain),
    listing(
        "egress",
        "What the container may reach outside of its networks "
        "(allow=HOST[:PORT],CIDR; deny=…; default=allow|deny)",
    ),
    listing("expose", "Expose a port or a range of ports"),
    Flag("ip", "string", "IPv4 address (e.g., 172.30.100.104)", read=checks.ip_flag),
    Flag("ip6", "string", "IPv6 address (e.g., 2001:db8::33)", read=checks.ip_flag),
    listing("link", "Add link to another container", read=checks.link),
    listing("link-local-ip", "Container IPv4/IPv6 link-local addresses"),
    text("mac-address", "Container MAC address (e.g., 92:d0:c6:0a:29:33)"),
    listing("publish p", "Publish a container's port(s) to the host"),
    switch("publish-all P", "Publish all exposed ports to random ports"),
    Flag("network", "network", "Connect a container to a network", many=True, read=checks.network),
    Flag("net", "network", "", many=True, hidden=True, dest="network", read=checks.network),
    listing("network-alias", "Add network-scoped alias for the container"),
    alias("net-alias", "network_alias"),
)

STORAGE = (
    text("log-driver", "Logging driver for the container"),
    listing("log-opt", "Log driver options"),
    text("volume-driver", "Optional volume driver for the container"),
    listing("storage-opt", "Storage driver options for the container"),
    listing("tmpfs", "Mount a tmpfs directory"),
    listing("volumes-from", "Mount volumes from the specified container(s)"),
    listing("volume v", "Bind mount a volume"),
    Flag(
        "mount", "mount", "Attach a filesystem mount to the container", many=True, read=checks.mount
    ),
)

HEALTH = (
    text("health-cmd", "Command to run to check health"),
    span("health-interval", "Time between running the check (ms|s|m|h)"),
    number("health-retries", "Consecutive failures needed to report unhealthy"),
    span("health-timeout", "Maximum time to allow one check to run (ms|s|m|h)"),
    span("health-start-period", "Time to initialize before retries count (ms|s|m|h)"),
    span("health-start-interval", "Time between checks in the start period (API 1.44)"),
    switch("no-healthcheck", "Disable any container-specified HEALTHCHECK"),
)

LIMITS = (
    Flag(
        "blkio-weight",
        "uint16",
        "Block IO (relative weight), 10 to 1000, or 0 to disable",
        read=values.uint16,
        default=0,
    ),
    number("cpu-period", "Limit CPU CFS (Completely Fair Scheduler) period"),
    number("cpu-quota", "Limit CPU CFS (Completely Fair Scheduler) quota"),
    number("cpu-rt-period", "Limit CPU real-time period in microseconds"),
    number("cpu-rt-runtime", "Limit CPU real-time runtime in microseconds"),
    number("cpu-shares c", "CPU shares (relative weight)"),
    Flag("cpus", "decimal", "Number of CPUs", read=values.nano_cpus, default=0),
    text("cpuset-cpus", "CPUs in which to allow execution (0-3, 0,1)"),
    text("cpuset-mems", "MEMs in which to allow execution (0-3, 0,1)"),
    size("kernel-memory", "Kernel memory limit"),
    size("memory m", "Memory limit"),
    size("memory-reservation", "Memory soft limit"),
    Flag(
        "memory-swap",
        "bytes",
        "Swap limit equal to memory plus swap: '-1' is unlimited",
        read=values.swap_size,
        default=0,
    ),
    number("pids-limit", "Tune container pids limit (set -1 for unlimited)"),
)
"""The limits that `update` can change too."""

RESOURCES = (
    listing(
        "blkio-weight-device", "Block IO weight (relative device weight)", read=checks.weight_device
    ),
    number("memory-swappiness", "Tune container memory swappiness (0 to 100)", default=-1),
    switch("oom-kill-disable", "Disable OOM Killer"),
    number("oom-score-adj", "Tune host's OOM preferences (-1000 to 1000)"),
    size("shm-size", "Size of /dev/shm"),
    listing("device", "Add a host device to the container"),
    listing(
        "device-cgroup-rule",
        "Add a rule to the cgroup allowed devices list",
        read=checks.device_rule,
    ),
    listing("device-read-bps", "Limit read rate (bytes per second)", read=checks.byte_rate),
    listing("device-read-iops", "Limit read rate (IO per second)", read=checks.io_rate),
    listing("device-write-bps", "Limit write rate (bytes per second)", read=checks.byte_rate),
    listing("device-write-iops", "Limit write rate (IO per second)", read=checks.io_rate),
    Flag(
        "gpus",
        "gpu-request",
        "GPU devices to add to the container ('all' for all)",
        read=checks.gpus,
        many=True,
    ),
)

CREATE = (*PROCESS, *SECURITY, *NETWORK, *STORAGE, *HEALTH, *LIMITS, *RESOURCES)
"""All that `create` knows; `run` adds how to attach."""
