"""`wherry daemon`: the engine in the foreground, its log on stderr."""

import asyncio
import logging
import os
import sys

from wherry.daemon import config, keeper
from wherry.kit.errors import WherryError


def run(argv: list[str]) -> int:
    """The exit code: 0 after a stop by signal, 1 where it could not start, 2 for wrong flags."""
    try:
        wanted = config.read(argv)
        _log(wanted.debug)
        os.umask(0o022)
        place = keeper.enter(wanted.settings.exec_root)
        settings = wanted.settings._replace(engine_netns=place.netns)
        from wherry.daemon.serve import serve

        running = asyncio.run(serve(settings, wanted.listeners, place))
        if not running:
            keeper.stop(settings.exec_root)
    except WherryError as error:
        sys.stderr.write(f"wherry daemon: {error}\n")
        return 1
    return 0


def _log(debug: bool) -> None:
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.INFO,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        stream=sys.stderr,
    )
