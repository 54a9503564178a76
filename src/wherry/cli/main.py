"""The program `wherry`: global flags, the table of commands, errors and exit codes."""

import sys
from collections.abc import Sequence

import click

from wherry.cli.command import Entry, Failed, Group
from wherry.cli.session import Session, describe
from wherry.client.endpoint import Choice
from wherry.kit.errors import WherryError

COMMANDS = {
    "attach": Entry("container.attach", "Attach local streams to a running container"),
    "commit": Entry("container.commit", "Create a new image from a container's changes"),
    "completion": Entry("completion", "Print the completion script of a shell"),
    "context": Entry("context.group", "Manage contexts", "group"),
    "container": Entry("groups", "Manage containers", "container"),
    "cp": Entry("container.copy", "Copy files between a container and this machine"),
    "create": Entry("container.create", "Create a new container"),
    "daemon": Entry("daemon", "Run the engine in the foreground"),
    "diff": Entry("container.diff", "Inspect changes to a container's file system"),
    "doctor": Entry("doctor", "Tell what this machine can do, what not, and the fix"),
    "events": Entry("system.events", "Get real time events from the engine"),
    "exec": Entry("container.execute", "Run a command in a running container"),
    "export": Entry("container.export", "Export a container's file system as a tar archive"),
    "history": Entry("image.history", "Show the history of an image"),
    "image": Entry("groups", "Manage images", "image"),
    "images": Entry("image.list", "List images"),
    "import": Entry("image.import_", "Create an image from a tar of a file system"),
    "info": Entry("system.info", "Display system-wide information"),
    "inspect": Entry("system.inspect", "Return low-level information on objects"),
    "kill": Entry("container.kill", "Kill one or more running containers"),
    "load": Entry("image.load", "Load images from a tar archive or STDIN"),
    "login": Entry("system.login", "Log in to a registry"),
    "logout": Entry("system.login", "Log out from a registry", "logout_command"),
    "logs": Entry("container.logs", "Fetch the logs of a container"),
    "network": Entry("groups", "Manage networks", "network"),
    "pause": Entry("container.pause", "Pause all processes within one or more containers"),
    "port": Entry("container.port", "List port mappings of a container"),
    "ps": Entry("container.list", "List containers"),
    "pull": Entry("image.pull", "Pull an image from a registry"),
    "push": Entry("image.push", "Upload an image to a registry"),
    "rename": Entry("container.rename", "Rename a container"),
    "restart": Entry("container.restart", "Restart one or more containers"),
    "rm": Entry("container.remove", "Remove one or more containers"),
    "rmi": Entry("image.remove", "Remove one or more images"),
    "run": Entry("container.run", "Run a command in a new container"),
    "save": Entry("image.save", "Save images to a tar archive"),
    "search": Entry("image.search", "Search Docker Hub for images"),
    "start": Entry("container.start", "Start one or more stopped containers"),
    "stats": Entry("container.stats", "Display a live stream of resource usage"),
    "stop": Entry("container.stop", "Stop one or more running containers"),
    "system": Entry("groups", "Manage the engine", "system"),
    "tag": Entry("image.tag", "Create another name for an image"),
    "tls": Entry("tls.init", "Make certificates for tcp:// with mutual TLS", "group"),
    "top": Entry("container.top", "Display the running processes of a container"),
    "unpause": Entry("container.unpause", "Unpause all processes within containers"),
    "update": Entry("container.update", "Update the limits of one or more containers"),
    "version": Entry("system.version", "Show version information"),
    "volume": Entry("groups", "Manage volumes", "volume"),
    "wait": Entry("container.wait", "Block until containers stop, then print their exit codes"),
}

SECTIONS = {
    "Common Commands": (
        "run", "exec", "ps", "logs", "cp", "pull", "push", "images", "login", "logout", "search",
        "version", "info",
    ),
    "Management Commands": ("container", "context", "image", "network", "system", "tls", "volume"),
    "Engine Commands": ("daemon", "doctor"),
}  # fmt: skip

OPTIONS: list[click.Parameter] = [
    click.Option(["--config"], help="Location of client config files", metavar="string"),
    click.Option(["-c", "--context"], help="Name of the context to use", metavar="string"),
    click.Option(["-D", "--debug"], is_flag=True, help="Enable debug mode"),
    click.Option(["-H", "--host"], multiple=True, help="Daemon socket to connect to"),
    click.Option(["-l", "--log-level"], help="Set the logging level", default="info"),
    click.Option(["--tls"], is_flag=True, help="Use TLS; implied by --tlsverify"),
    click.Option(["--tlscacert"], help="Trust certs signed only by this CA", metavar="string"),
    click.Option(["--tlscert"], help="Path to TLS certificate file", metavar="string"),
    click.Option(["--tlskey"], help="Path to TLS key file", metavar="string"),
    click.Option(["--tlsverify"], is_flag=True, help="Use TLS and verify the remote"),
    click.Option(["-v", "--version"], is_flag=True, help="Print version information and quit"),
]


class Program(Group):
    """The top of the command tree: reads the global flags into the session."""

    def invoke(self, ctx: click.Context) -> object:
        """Make the session and go on with the command."""
        if ctx.params.pop("version"):
            click.echo(version_line())
            return None
        ctx.obj = session_of(ctx.params)
        return super().invoke(ctx)


def session_of(params: dict[str, object]) -> Session:
    """What the global flags say. Raises Failed."""

    def text(name: str) -> str:
        return str(params.get(name) or "")

    hosts = params.get("host")
    assert isinstance(hosts, tuple | list)
    if len(hosts) > 1:
        raise Failed("Please specify only one -H")
    choice = Choice(
        host=str(hosts[0]) if hosts else "",
        context=text("context"),
        config=text("config"),
        tls=bool(params.get("tls")),
        tls_verify=True if params.get("tlsverify") else None,
        authority=text("tlscacert"),
        certificate=text("tlscert"),
        key=text("tlskey"),
    )
    return Session(choice, debug=bool(params.get("debug")))


def version_line() -> str:
    """What `wherry --version` says."""
    from wherry import __version__

    return f"wherry version {__version__}"


def program() -> Program:
    """The command tree."""
    about = "The Docker platform in Python."
    return Program("wherry", about, COMMANDS, sections=SECTIONS, params=OPTIONS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; its exit code."""
    try:
        program().main(
            None if arguments is None else list(arguments), "wherry", standalone_mode=False
        )
    except Failed as failure:
        if str(failure):
            _complain(str(failure))
        return failure.code
    except WherryError as error:
        _complain(describe(error))
        return 1
    except click.exceptions.Exit as asked:
        return asked.exit_code
    except click.ClickException as error:
        _complain(f"{error.format_message()}\nSee 'wherry --help'.")
        return 125
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:
        return _silenced()
    return 0


def _complain(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _silenced() -> int:
    """The reader of our output has gone: leave nothing that Python would try to flush."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 141
