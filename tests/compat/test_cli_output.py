"""What our command line prints beside what Docker's prints, on the same engine."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.compat import oracle

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not oracle.is_here(), reason="needs root and dockerd 20.10"),
]

WHERRY = [sys.executable, "-c", "import sys; from wherry.cli.main import main; sys.exit(main())"]

ALIKE = r"""
ps
ps -a --no-trunc
ps -q
ps -aq
ps -s
ps -n 1
ps --format '{{json .}}'
ps --format 'table {{.ID}}\t{{.Label "tier"}}\t{{.Labels}}\t{{.Mounts}}\t{{.Networks}}'
ps --format '{{.Names}}: {{upper .Image}} {{len .ID}} {{.State}}'
ps --format raw
ps -f name=nothing
ps -f label=tier=web
ps -f foo
ps -f foo=bar
ps extra
ps --nope
container ls
container ls -a -q
images
images --digests
images --no-trunc -q
images --format '{{json .}}'
images --format 'table {{.Repository}}\t{{.Size}}'
images busybox:none
image ls
history busybox
history --no-trunc -H=false busybox
history -q busybox
history nope
top web
top web -o pid,comm
diff web
port web
port web 80
inspect web
inspect busybox
inspect web busybox nope
inspect -s web
inspect -f '{{.Id}}' nope
inspect -f '{{.State.Status}} {{.Config.Env}} {{json .Config.Env}} {{.ID}}' web
inspect -f '{{range $k,$v := .Config.Labels}}{{$k}}={{$v}};{{end}}{{len .Config.Cmd}}' web
inspect -f '{{if .State.Health}}h{{else}}n{{end}}{{index .Config.Labels "tier"}}' web
inspect -f '{{with .Config}}{{join .Cmd ","}}{{end}}|{{index .Config.Labels "nope"}}|' web
inspect -f '{{printf "%s %d %q" .Name 3 .Path}} {{title .Path}} {{eq .Path "sh"}}' web
inspect -f '{{range .Config.Cmd}}[{{.}}]{{end}} {{slice .Id 0 5}} {{not .State.Running}}' web
inspect -f '{{(index .Config.Cmd 1)}} {{.HostConfig.RestartPolicy.Name}}' web
inspect -f '{{.Id}}' --type image busybox
container inspect -f '{{.Name}}' web
image inspect -f '{{.RepoTags}} {{.Os}}/{{.Architecture}}' busybox
logs web
logs -n 1 web
logs -n 0 web
logs -t web
logs --since 2000-01-01 --until 2001-01-01 web
logs --since foo web
logs nope
info -f '{{.Driver}} {{.NCPU}} {{json .SecurityOptions}}'
version -f '{{.Server.Version}} {{.Server.Os}}'
events --since 10m --until 0s --filter container=web --filter event=start
events --since 10m --until 0s --filter event=start --format '{{.Type}} {{.Action}} {{.Actor.ID}}'
system df
system df -v
system df --format '{{.Type}}: {{.Size}}'
exec web sh -c 'exit 3'
exec web sh -c 'echo out; echo err >&2'
exec -e A=b -w /tmp web sh -c 'echo $A; pwd'
exec web nosuch
exec web /etc
exec -u nouser web ls
exec web
exec -it web ls
run --rm --network none busybox sh -c 'echo out; echo err >&2; exit 9'
run --rm --network none busybox nosuch
run --rm --network none busybox /etc
run --rm --network none --entrypoint /bin/echo busybox a b
run --rm --network none -it busybox
run -d -a stdin busybox
run --rm --pull never nope
run --rm 127.0.0.1:1/nope
run --network none --name we/b busybox
run
run -m
run -zq busybox
run --rm --restart always busybox
start nope
start -ai nope nope2
stop
kill -s FOO web
kill done
pause done
unpause web
wait done
wait nope
rm web
rm
save nope
load -i /nope
import /nope
pull 127.0.0.1:1/foo
commit nope
cp a b
stats --no-stream nope
wherry-nope
""".strip().splitlines()


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with oracle.dockerd() as address:
        oracle.docker(
            address, "run", "-d", "--name", "web", "--network", "none", "--label", "tier=web",
            "--expose", "80", "busybox", "sh", "-c", "echo one; echo two >&2; sleep 1000",
        )  # fmt: skip
        oracle.docker(address, "run", "--name", "done", "--network", "none", "busybox", "true")
        yield address
        oracle.docker(address, "kill", "web")


def run(program: list[str], words: list[str], host: str) -> tuple[int, str, str]:
    environment = {**os.environ, "DOCKER_HOST": host, "WHERRY_HOST": host, "COLUMNS": "80"}
    done = subprocess.run(
        [*program, *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def alike(text: str) -> str:
    """Our words as Docker's: the program's name, and 20.10's own prefix for what is missing."""
    text = text.replace("wherry", "docker")
    for kind in ("container", "image", "container:path"):
        text = text.replace(
            f"Error: No such {kind}: ", f"Error response from daemon: No such {kind}: "
        )
    return text


@pytest.mark.parametrize("line", ALIKE)
def test_output_is_alike(line: str, host: str) -> None:
    words = shlex.split(line)
    for attempt in range(3):  # "3 seconds ago" may become 4 between the two
        theirs = run([oracle.DOCKER], words, host)
        ours = run(WHERRY, words, host)
        same = [alike(part) if isinstance(part, str) else part for part in ours]
        wanted = [alike(part) if isinstance(part, str) else part for part in theirs]
        if same == wanted or attempt == 2:
            break
    assert same == wanted
