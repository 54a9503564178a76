"""The exec routes of the API: another process in a running container."""

from collections.abc import Mapping

from wherry.client.client import Client, get, post
from wherry.client.connection import Hijacked
from wherry.client.containers import route
from wherry.client.document import Document, Json


def create(client: Client, container: str, body: Mapping[str, Json]) -> str:
    """Set up a process; its exec id."""
    return post(client, route(container, "/exec"), {}, dict(body)).text("Id")


def start(client: Client, exec_id: str, *, tty: bool) -> None:
    """Start it without any stream."""
    client.json("POST", f"/exec/{exec_id}/start", body={"Detach": True, "Tty": tty})


def attach(client: Client, exec_id: str, *, tty: bool) -> Hijacked:
    """Start it with its streams as one socket, multiplexed unless it has a terminal."""
    return client.hijack(f"/exec/{exec_id}/start", body={"Detach": False, "Tty": tty})


def resize(client: Client, exec_id: str, columns: int, lines: int) -> None:
    """Set its terminal's size in characters."""
    client.json("POST", f"/exec/{exec_id}/resize", {"h": str(lines), "w": str(columns)})


def inspect(client: Client, exec_id: str) -> Document:
    """Running, ExitCode, Pid and the process's configuration."""
    return get(client, f"/exec/{exec_id}/json")
