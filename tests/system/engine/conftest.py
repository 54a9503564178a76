"""An engine in this process, over a folder of its own: real files, real workers, no containers."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from wherry.engine import opening
from wherry.engine.engine import Engine
from wherry.engine.settings import EngineSettings


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    """Open until the end of the test; its run-time folder has a short path, for sockets."""
    folder = tempfile.mkdtemp(prefix="we-")
    settings = EngineSettings(str(tmp_path / "root"), f"{folder}/x", bridge="")
    opened = await opening.open_engine(settings, "real" if os.geteuid() == 0 else "single")
    try:
        yield opened
    finally:
        await opening.close(opened)
        await asyncio.to_thread(shutil.rmtree, folder)
