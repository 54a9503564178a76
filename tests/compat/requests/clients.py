"""Clients that work at the same time, each with things of its own, and check every answer."""

import asyncio
import random
import time
from typing import Any

import aiohttp


class Client:
    """One of them: what it made, and how long each request took."""

    def __init__(self, session: aiohttp.ClientSession, number: int, seed: int) -> None:
        self._session = session
        self._number = number
        self._chance = random.Random(seed * 1000 + number)
        self._made: list[str] = []
        """Ids of its containers."""
        self._volumes: list[str] = []
        self.seconds: list[float] = []

    async def work(self, requests: int) -> None:
        """At least so many mixed requests; in the end everything it made is gone again."""
        kinds = (self._create, self._create, self._inspect, self._rename, self._list, self._volume,
                 self._image, self._missing, self._remove)  # fmt: skip
        while len(self.seconds) < requests - len(self._made) - len(self._volumes):
            await self._chance.choice(kinds)()
        for id in [*self._made]:
            await self._remove(id)
        for name in self._volumes:
            await self._ask("DELETE", f"/volumes/{name}", 204)

    async def _ask(self, method: str, path: str, status: int, body: Any = None) -> Any:
        start = time.monotonic()
        async with self._session.request(method, f"http://docker/v1.41{path}", json=body) as answer:
            text = await answer.text()
            assert answer.status == status, (method, path, answer.status, text)
            self.seconds.append(time.monotonic() - start)
            return await answer.json() if text.startswith(("{", "[")) else text

    async def _create(self) -> None:
        name = f"c{self._number}-{len(self.seconds)}"
        body = {"Image": "plain", "Cmd": ["true"], "Labels": {"client": str(self._number)}}
        made = await self._ask("POST", f"/containers/create?name={name}", 201, body)
        self._made.append(made["Id"])

    async def _inspect(self) -> None:
        for id in self._made[-1:]:
            found = await self._ask("GET", f"/containers/{id}/json", 200)
            assert (found["Id"], found["Config"]["Labels"]) == (id, {"client": str(self._number)})

    async def _rename(self) -> None:
        for id in self._made[-1:]:
            name = f"r{self._number}-{len(self.seconds)}"
            await self._ask("POST", f"/containers/{id}/rename?name={name}", 204)

    async def _list(self) -> None:
        query = f"all=1&filters=%7B%22label%22:%5B%22client={self._number}%22%5D%7D"
        found = await self._ask("GET", f"/containers/json?{query}", 200)
        assert {each["Id"] for each in found} == set(self._made)

    async def _volume(self) -> None:
        name = f"v{self._number}-{len(self.seconds)}"
        await self._ask("POST", "/volumes/create", 201, {"Name": name})
        self._volumes.append(name)

    async def _image(self) -> None:
        await self._ask("GET", "/images/plain/json", 200)

    async def _missing(self) -> None:
        await self._ask("GET", f"/containers/missing{self._number}/json", 404)

    async def _remove(self, id: str = "") -> None:
        if self._made:
            id = id or self._made[0]
            self._made.remove(id)
            await self._ask("DELETE", f"/containers/{id}", 204)


def run(socket: str, *, clients: int, requests: int, seed: int) -> list[float]:
    """Seconds of every request; fails where an answer is not what that client has to get."""
    return asyncio.run(_run(socket, clients, requests, seed))


async def _run(socket: str, clients: int, requests: int, seed: int) -> list[float]:
    timeout = aiohttp.ClientTimeout(total=120)
    connector = aiohttp.UnixConnector(socket, limit=clients)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        every = [Client(session, number, seed) for number in range(clients)]
        await asyncio.gather(*(each.work(requests) for each in every))
    return [seconds for each in every for seconds in each.seconds]
