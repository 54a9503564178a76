"""`wherry rmi`."""

from wherry.cli.command import Arity, Command, Failed
from wherry.cli.flags import switch
from wherry.cli.session import Session, describe
from wherry.client import images
from wherry.kit.errors import NotFound, WherryError


def remove(session: Session, arguments: list[str], *, force: bool, no_prune: bool) -> None:
    """Remove one or more images; one that is gone already is no error for `--force`."""
    problems, fatal = [], False
    for name in arguments:
        try:
            done = images.remove(session.client, name, force=force, prune=not no_prune)
        except WherryError as error:
            problems.append(describe(error))
            fatal = fatal or not isinstance(error, NotFound)
            continue
        for item in done:
            for verb in ("Untagged", "Deleted"):
                if item.text(verb):
                    session.print(f"{verb}: {item.text(verb)}")
    if problems and (fatal or not force):
        raise Failed("\n".join(problems))
    for text in problems:
        session.complain(text)


command = Command(
    "rmi",
    remove,
    "Remove one or more images",
    usage="IMAGE [IMAGE...]",
    arity=Arity(1),
    flags=(
        switch("force f", "Force removal of the image"),
        switch("no-prune", "Do not delete untagged parents"),
    ),
)
