"""`wherry exec`."""

from wherry.cli import attachment
from wherry.cli.command import Arity, Command, Failed
from wherry.cli.container.checks import variable
from wherry.cli.container.create import exit_code
from wherry.cli.container.environment import variables
from wherry.cli.flags import listing, switch, text
from wherry.cli.relay import Plan
from wherry.cli.session import Session
from wherry.client import containers, execs
from wherry.client.document import Json
from wherry.kit.errors import Conflict, InvalidInput, NotPermitted, WherryError


def execute(
    session: Session,
    arguments: list[str],
    *,
    detach: bool,
    detach_keys: str,
    env: list[str],
    env_file: list[str],
    interactive: bool,
    privileged: bool,
    tty: bool,
    user: str,
    workdir: str,
) -> None:
    """Run a command in a running container; its exit code is ours."""
    keys, sequence = attachment.detach_keys(session, detach_keys)
    containers.inspect(session.client, arguments[0])
    if not detach:
        attachment.check_tty(stdin=interactive, tty=tty)
    body: dict[str, Json] = {
        "User": user,
        "Privileged": privileged,
        "Tty": tty,
        "AttachStdin": interactive and not detach,
        "AttachStderr": not detach,
        "AttachStdout": not detach,
        "Detach": detach,
        "DetachKeys": keys,
        "Env": [*variables(env_file, env)] or None,
        "WorkingDir": workdir,
        "Cmd": [*arguments[1:]],
    }
    exec_id = execs.create(session.client, arguments[0], body)
    if detach:
        execs.start(session.client, exec_id, tty=tty)
        return
    _attached(session, exec_id, Plan(interactive, tty=tty, detach=sequence))


def _attached(session: Session, exec_id: str, plan: Plan) -> None:
    try:
        stream = execs.attach(session.client, exec_id, tty=plan.tty)
    except (Conflict, InvalidInput, NotPermitted):
        raise
    except WherryError as error:
        raise Failed(str(error), exit_code(str(error))) from error
    other = session.client.another()

    def resize(columns: int, lines: int) -> None:
        execs.resize(other, exec_id, columns, lines)

    if attachment.copy(stream, plan, resize):
        raise Failed("read escape sequence")
    code = execs.inspect(session.client, exec_id).number("ExitCode")
    if code:
        raise Failed("", code)


command = Command(
    "exec",
    execute,
    "Run a command in a running container",
    usage="CONTAINER COMMAND [ARG...]",
    arity=Arity(2),
    flags=(
        switch("detach d", "Detached mode: run command in the background"),
        text("detach-keys", "Override the key sequence for detaching a container"),
        listing("env e", "Set environment variables", read=variable),
        listing("env-file", "Read in a file of environment variables"),
        switch("interactive i", "Keep STDIN open even if not attached"),
        switch("privileged", "Give extended privileges to the command"),
        switch("tty t", "Allocate a pseudo-TTY"),
        text("user u", "Username or UID (format: <name|uid>[:<group|gid>])"),
        text("workdir w", "Working directory inside the container"),
    ),
    interspersed=False,
)
