"""What every command gets: the engine's client, the configuration and the standard streams."""

import os
import sys

from wherry.client.client import Client
from wherry.client.config import Config, read_config
from wherry.client.endpoint import (
    Choice,
    Endpoint,
    config_folder,
    context_name,
    of_context,
    parse,
    resolve,
    resolve_default,
    tls_of,
)
from wherry.client.errors import PREFIX
from wherry.kit.errors import WherryError


class Session:
    """One run of the program."""

    def __init__(self, choice: Choice, *, debug: bool = False) -> None:
        self.choice = choice
        self.debug = debug
        self._client: Client | None = None
        self._config: Config | None = None

    @property
    def endpoint(self) -> Endpoint:
        """The engine's address. Raises InvalidInput, NotFound."""
        return resolve(self.choice)

    @property
    def client(self) -> Client:
        """The client of the chosen engine, made at the first use."""
        if self._client is None:
            self._client = Client(self.endpoint)
        return self._client

    def client_of(self, host: str) -> Client:
        """The client of a named engine: a context or an address; empty for the chosen one.

        An address takes certificates by the same flags and variables as the chosen engine's.
        """
        if not host:
            return self.client
        if "://" in host:
            return Client(parse(host, tls_of(self.choice)))
        return Client(of_context(host, self.choice))

    @property
    def config(self) -> Config:
        """Docker's client configuration, read at the first use."""
        if self._config is None:
            self._config = read_config(f"{self.config_folder}/config.json")
        return self._config

    @property
    def config_folder(self) -> str:
        """The folder of Docker's client configuration."""
        return config_folder(self.choice)

    @property
    def default_endpoint(self) -> Endpoint:
        """The engine of the context `default`. Raises InvalidInput."""
        return resolve_default(self.choice)

    @property
    def context(self) -> str:
        """The name of the context in force."""
        named = self.choice.host or os.environ.get("WHERRY_HOST") or os.environ.get("DOCKER_HOST")
        return "default" if named and not self.choice.context else context_name(self.choice)

    def print(self, line: str) -> None:
        """A line to standard output."""
        self.write(line + "\n")

    def write(self, text: str) -> None:
        """Text to standard output, at once."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def write_bytes(self, data: bytes) -> None:
        """Bytes to standard output, at once."""
        write_all(1, data)

    def complain(self, line: str) -> None:
        """A line to standard error."""
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def write_all(descriptor: int, data: bytes) -> None:
    """All the bytes to a descriptor."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def describe(error: WherryError) -> str:
    """An error's text as Docker's command line shows it."""
    text = str(error)
    if text.startswith(f"{PREFIX}No such object"):
        return "Error: " + text.removeprefix(PREFIX)
    return text


def is_terminal(descriptor: int) -> bool:
    """Whether the descriptor is a terminal; a closed one is none."""
    try:
        return os.isatty(descriptor)
    except OSError:
        return False
