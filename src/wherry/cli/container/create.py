"""`wherry create`, and the making of a container that `run` shares."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping

from wherry.cli import progress
from wherry.cli.command import Arity, Command, Failed
from wherry.cli.container.options import CREATE
from wherry.cli.container.request import build
from wherry.cli.container.settings import Settings
from wherry.cli.image.pulling import pull_messages
from wherry.cli.session import Session, describe
from wherry.client import containers
from wherry.client.config import proxies
from wherry.client.document import Json
from wherry.kit.errors import InvalidInput, NotFound, WherryError
from wherry.oci import reference as references


def create(session: Session, arguments: list[str], **values: object) -> None:
    """Make a container and print its id."""
    settings = Settings(values)
    with usage_errors("create"):
        body = build(settings, arguments[0], arguments[1:], session_proxies(session))
        check_pull(settings.text("pull"))
    session.print(make(session, settings, body))


def session_proxies(session: Session) -> dict[str, str]:
    """The proxy variables of the configuration for this engine."""
    return proxies(session.config, str(session.endpoint))


@contextlib.contextmanager
def usage_errors(name: str) -> Iterator[None]:
    """Turn a wrong flag into exit code 125 and a hint. Raises Failed."""
    try:
        yield
    except InvalidInput as error:
        raise Failed(f"wherry: {_stopped(str(error))}\nSee 'wherry {name} --help'.", 125) from error


@contextlib.contextmanager
def engine_errors(name: str) -> Iterator[None]:
    """Turn the engine's refusal into exit code 125, 126 or 127. Raises Failed."""
    try:
        yield
    except Failed as failure:
        raise Failed(
            f"wherry: {_stopped(str(failure))}\nSee 'wherry {name} --help'.", 125
        ) from failure
    except WherryError as error:
        hint = f"\nSee 'wherry {name} --help'." if name else ""
        text = _stopped(describe(error))
        raise Failed(f"wherry: {text}{hint}", exit_code(text)) from error


def _stopped(text: str) -> str:
    """A sentence with its full stop."""
    return text if text.endswith(".") else f"{text}."


def exit_code(text: str) -> int:
    """127 where the program is missing, 126 where it cannot be run, else 125."""
    for sign in ("executable file not found", "no such file or directory", "system cannot find"):
        if sign in text:
            return 127
    if "permission denied" in text or "is a directory" in text:
        return 126
    return 125


def check_pull(policy: str) -> None:
    """Raises InvalidInput for an unknown pull policy."""
    if policy not in ("always", "missing", "never", ""):
        raise InvalidInput(
            f'invalid pull option: \'{policy}\': must be one of "always", "missing" or "never"'
        )


def make(session: Session, settings: Settings, body: Mapping[str, Json]) -> str:
    """Create the container, pulling its image where the policy says so; its id."""
    image, policy = str(body["Image"]), settings.text("pull")
    platform = _normal_platform(settings.text("platform"))
    with cid_file(settings.text("cidfile")) as write_id:
        if policy == "always":
            _pull(session, image, platform)
        try:
            made = _create(session, settings, body, platform)
        except NotFound:
            if policy != "missing":
                raise
            session.complain(f"Unable to find image '{_familiar(image)}' locally")
            _pull(session, image, platform)
            made = _create(session, settings, body, platform)
        for warning in made.warnings:
            session.complain(f"WARNING: {warning}")
        write_id(made.id)
    return made.id


def _normal_platform(text: str) -> str:
    if not text:
        return ""
    from wherry.oci import platform as platforms  # costs 10 ms, and is seldom needed

    return str(platforms.parse(text))


def _create(
    session: Session, settings: Settings, body: Mapping[str, Json], platform: str
) -> containers.Created:
    return containers.create(session.client, body, name=settings.text("name"), platform=platform)


def _familiar(image: str) -> str:
    return references.parse(image).with_default_tag().familiar


def _pull(session: Session, image: str, platform: str) -> None:
    """Pull with its progress on standard error: standard output is for the container's id."""
    import sys

    progress.display(pull_messages(session, references.parse(image), platform), sys.stderr)


@contextlib.contextmanager
def cid_file(path: str) -> Iterator[Callable[[str], object]]:
    """A file for the container's id that stays only if the id was written. Raises InvalidInput."""
    if not path:
        yield len
        return
    if os.path.exists(path):
        raise InvalidInput(
            f"Container ID file found, make sure the other container isn't running or delete {path}"
        )
    written = False

    def write(text: str) -> None:
        nonlocal written
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        written = True

    try:
        with open(path, "w", encoding="utf-8"):
            pass
    except OSError as error:
        raise InvalidInput(f"failed to create the container ID file: {error}") from error
    try:
        yield write
    finally:
        if not written:
            os.unlink(path)


command = Command(
    "create",
    create,
    "Create a new container",
    usage="IMAGE [COMMAND] [ARG...]",
    arity=Arity(1),
    flags=CREATE,
    interspersed=False,
)
