"""`wherry login` and `wherry logout`."""

import sys

from wherry.cli.command import Arity, Command, Failed
from wherry.cli.flags import switch, text
from wherry.cli.session import Session, is_terminal
from wherry.client import stored_logins, system
from wherry.client.config import HUB_KEY
from wherry.client.endpoint import config_folder


def login(
    session: Session, arguments: list[str], *, password: str, password_stdin: bool, username: str
) -> None:
    """Let the engine try the credentials at the registry, and keep them."""
    server = _key(arguments)
    if password and password_stdin:
        raise Failed("--password and --password-stdin are mutually exclusive")
    if password_stdin:
        if not username:
            raise Failed("Must provide --username with --password-stdin")
        password = sys.stdin.readline().rstrip("\r\n")
    if not (username and password):
        username, password = _asked(username, password)
    answer = system.login(session.client, username, password, server)
    token = answer.text("IdentityToken")
    stored_logins.keep(_config(session), server, username, password, token)
    session.print(answer.text("Status"))


def _asked(username: str, password: str) -> tuple[str, str]:
    if not is_terminal(0):
        raise Failed("Error: Cannot perform an interactive login from a non TTY device")
    from getpass import getpass

    return username or input("Username: "), password or getpass("Password: ")


def logout(session: Session, arguments: list[str]) -> None:
    """Forget the credentials of a registry."""
    server = _key(arguments)
    session.print(f"Removing login credentials for {server}")
    if not stored_logins.forget(_config(session), server):
        session.complain(f"Not logged in to {server}")


def _key(arguments: list[str]) -> str:
    """How config.json names the registry."""
    named = arguments[0] if arguments else HUB_KEY
    if named in ("docker.io", "index.docker.io", HUB_KEY):
        return HUB_KEY
    return named.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _config(session: Session) -> str:
    return f"{config_folder(session.choice)}/config.json"


command = Command(
    "login",
    login,
    "Log in to a registry",
    usage="[SERVER]",
    arity=Arity(0, 1),
    flags=(
        text("password p", "Password"),
        switch("password-stdin", "Take the password from stdin"),
        text("username u", "Username"),
    ),
)
logout_command = Command(
    "logout", logout, "Log out from a registry", usage="[SERVER]", arity=Arity(0, 1)
)
