"""What every name server keeps to; the real one in a namespace (root), the fake without."""

import asyncio
import os
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import pytest

from wherry.kit.errors import InvalidInput
from wherry.linux import namespace, netns
from wherry.network.driver import NameServer, Sandbox
from wherry.network.names import NamedEndpoint, Resolving
from wherry.network.process_handle import NetProcess
from wherry.testing.dns import AAAA, PTR, A, Answer, lookup
from wherry.testing.nameserver import FakeNameServer

ID = "a" * 64
WEB = NamedEndpoint("e1", "b" * 64, ("web", "site"), ("10.77.0.2", "fd00:77::2"))
DB = NamedEndpoint("e2", "c" * 64, ("db",), ("10.77.0.3",))
RESOLVING = Resolving(ID, (("n1", "one"), ("n2", "two")), links=(("store", "db"),))
FAILED = Answer(2, ())


class Case(NamedTuple):
    """A server, a container to serve, and how that container asks."""

    server: NameServer
    sandbox: Sandbox
    ask: Callable[[str, int], Answer | str]

    async def told(self, name: str, kind: int = A) -> Answer | str:
        return await asyncio.to_thread(self.ask, name, kind)


def _namespace() -> tuple[int, "subprocess.Popen[bytes]"]:
    made: list[tuple[int, subprocess.Popen[bytes]]] = []

    def make() -> None:
        namespace.unshare(netns.CLONE_NEWNET)
        descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        made.append((descriptor, subprocess.Popen(["sleep", "1000"])))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


@pytest.fixture(params=["fake", "process"])
async def case(request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    if request.param == "fake":
        fake = FakeNameServer()
        yield Case(fake, Sandbox(-1, -1, os.getpid()), lambda *asked: fake.lookup(ID, *asked))
        return
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    where, init = _namespace()
    with tempfile.TemporaryDirectory(prefix="wherry-net-") as folder:
        handle = await NetProcess.open(folder)
        try:
            sandbox = Sandbox(where, -1, init.pid)
            yield Case(handle.names, sandbox, lambda *asked: lookup(where, *asked))
        finally:
            await handle.shutdown()
            init.kill()
            init.wait()
            os.close(where)


async def test_names_aliases_links_and_addresses(case: Case) -> None:
    await case.server.names("n1", [WEB, DB])
    await case.server.serve(RESOLVING, case.sandbox)
    assert await case.told("web") == Answer(0, ("10.77.0.2",))
    assert await case.told("Site.One") == Answer(0, ("10.77.0.2",))
    assert await case.told("web", AAAA) == Answer(0, ("fd00:77::2",))
    assert await case.told("db", AAAA) == Answer(0, ())
    assert await case.told("store") == Answer(0, ("10.77.0.3",))
    assert await case.told("3.0.77.10.in-addr.arpa", PTR) == Answer(0, ("db.one",))
    assert await case.told("other.invalid") == FAILED


async def test_a_table_replaces_the_one_before(case: Case) -> None:
    await case.server.serve(RESOLVING, case.sandbox)
    await case.server.names("n2", [WEB])
    await case.server.names("n2", [DB])
    assert await case.told("web") == FAILED
    assert await case.told("db") == Answer(0, ("10.77.0.3",))
    await case.server.names("n2", [])
    assert await case.told("db") == FAILED


async def test_serving_again_changes_how(case: Case) -> None:
    await case.server.names("n1", [WEB])
    await case.server.serve(RESOLVING, case.sandbox)
    await case.server.serve(RESOLVING._replace(networks=(), options=("ndots:2",)), case.sandbox)
    assert await case.told("web") == Answer(0, ())
    assert await case.told("web.one") == FAILED


async def test_stopping_may_be_repeated(case: Case) -> None:
    await case.server.stop(ID)
    await case.server.serve(RESOLVING, case.sandbox)
    for _ in range(2):
        await case.server.stop(ID)
    assert await case.told("web") in ("ConnectionRefusedError", "ConnectionResetError", "OSError")
    await case.server.serve(RESOLVING, case.sandbox)
    assert await case.told("web") == FAILED


async def test_a_container_that_has_ended_is_refused(case: Case) -> None:
    with pytest.raises(InvalidInput):
        await case.server.serve(RESOLVING, case.sandbox._replace(pid=2**22 + 1))
