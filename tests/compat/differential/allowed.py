"""What may differ between dockerd 20.10 and us in the script's answers, each with its reason.

Everything else that differs is a fault. docs/compat.md has the same reasons in words.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """Regular expressions over the whole of the request, the field, dockerd's status."""

    request: str
    field: str
    reason: str
    status: str = ".*"


ALLOWED = (
    Row(".*", "status|body.message", "a client's mistake is never a 500, and says what is wrong",
        "500"),
    Row("GET .*/version", r"body\.(Components|ApiVersion|BuildTime|GitCommit|GoVersion|Version|"
        r"Platform).*", "another engine, written in another language"),
    Row("GET .*/info", r"body\.(ContainerdCommit|RuncCommit|InitCommit|DefaultRuntime|Runtimes|"
        r"Driver|DriverStatus|ID|KernelMemory|KernelMemoryTCP|LiveRestoreEnabled|NFd|NGoroutines|"
        r"Plugins|ServerVersion|Images|Warnings)\b.*", "another engine, with what it has"),
    Row(".*json.*|GET /images.*", r"body\.(.*\.)?(GraphDriver|Driver)\b.*",
        "snapshots are called `overlay`"),
    Row("GET .*/containers/.*/json.*", r"body\.HostConfig\.(Runtime|MaskedPaths.*)",
        "the runtime's name; powercap is masked, as newer Docker does"),
    Row("GET .*/containers/.*/json.*", r"body\.NetworkSettings\.Sandbox(Key|ID)",
        "the sandbox is the container"),
    Row("GET .*/containers/.*/json.*", r"body\.State\.Pid", "processes have other numbers"),
    Row("GET .*/top.*", r"body\.Processes\..*", "processes have other numbers"),
    Row("GET .*/networks.*", r"body\.(\d+\.)?Options\.com\.docker\.network\.bridge\.name",
        "the bridge is wherry0, and others are wh-ID"),
    Row("GET .*/logs.*", "header Content-Type", "told, as newer Docker does"),
    Row("POST /containers/create .*(Ulimits|container:missing).*", "status|body.*|header Location",
        "refused at creation, which dockerd does at the start"),
    Row("POST /containers/first/wait.condition=nonsense", "status|body.*", "refused, as in 1.42"),
    Row("(GET|DELETE|POST) .*UPPER.*", "status|body.message",
        "a name that cannot be is one that is not there"),
    Row("GET .*/info", "body.CgroupVersion", "of API 1.41, and not told to older clients"),
    Row("GET .*/networks.*", r"body\.(\d+\.)?IPAM\.Config\.0\.Gateway", "as newer Docker"),
    Row("GET .*/containers/first/json", r"body\.(Hostname|Hosts|Log|ResolvConf)Path|"
        r"body\.NetworkSettings\.Networks\.red\.(Aliases\.1|NetworkID)", "known since creation"),
    Row("GET /containers/.*size=.*", r"body\.(\d+\.)?Size(Rw|RootFs)", "folders take space, too"),
    Row("POST /containers/prune", r"body\..*", "what dockerd created and we refused; folders"),
    Row("GET /v9.99/version|.* /images/.*(missing|zz).*|POST /images/load|.*filters=.*|"
        "POST /volumes/create .*|POST /networks/create .*|POST /containers/create .*|"
        "(GET|PUT) .*/archive.*|POST .*/rename.*|POST .*/(pause|kill)", r"body\.(message|error.*)",
        "the same refusal in words of ours"),
    Row("GET /images/made:1/json", r"body\.(Container)?Config\..*",
        "the container that was committed is no part of the image"),
    Row("GET /images/made:1/history", r"body\.1\.(Id|Tags).*", "only the image itself has an id"),
    Row("DELETE /images/made:1", r"body\.2\.Deleted", "the empty layer is told, too"),
)  # fmt: skip
