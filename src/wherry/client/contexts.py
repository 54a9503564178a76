"""Docker's contexts: named engines in the files of Docker's command line, which shares them.

```
FOLDER/contexts/meta/<sha256 of the name>/meta.json
FOLDER/contexts/tls/<sha256 of the name>/docker/{ca,cert,key}.pem
FOLDER/config.json                         "currentContext": the one in force
```
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from typing import NamedTuple

from wherry.client.config import read_config
from wherry.client.document import Document, Json
from wherry.client.endpoint import parse
from wherry.kit.errors import Conflict, InvalidInput, NotFound
from wherry.kit.files import write_atomic

DEFAULT = "default"
FILES = ("ca.pem", "cert.pem", "key.pem")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.+-]+")


class Context(NamedTuple):
    """One context: its meta.json, and its files by `endpoint/name`."""

    meta: Document
    files: Mapping[str, bytes] = {}

    @property
    def name(self) -> str:
        """As it is called."""
        return self.meta.text("Name")

    @property
    def description(self) -> str:
        """What its owner says of it."""
        return self.meta.text("Metadata", "Description")

    @property
    def host(self) -> str:
        """Address of the engine."""
        return self.meta.text("Endpoints", "docker", "Host")


class Engine(NamedTuple):
    """What a context says of its engine."""

    host: str
    skip_verify: bool = False
    files: Mapping[str, bytes] = {}


class Store:
    """The contexts below a folder of Docker's client configuration."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """All of them, sorted, without the default one."""
        base = f"{self._folder}/contexts/meta"
        keys = os.listdir(base) if os.path.isdir(base) else []
        found = (read_config(f"{base}/{key}/meta.json").document.text("Name") for key in keys)
        return sorted(filter(None, found))

    def read(self, name: str) -> Context:
        """Raises NotFound."""
        meta, tls = self.places(name)
        if not os.path.exists(f"{meta}/meta.json"):
            raise NotFound(f'context "{name}": not found in {self._folder}/contexts')
        return Context(read_config(f"{meta}/meta.json").document, _read_files(tls))

    def add(self, context: Context) -> None:
        """Raises InvalidInput for a name that cannot be one, Conflict for one that is taken."""
        check_name(context.name)
        if os.path.exists(f"{self.places(context.name)[0]}/meta.json"):
            raise Conflict(f'context "{context.name}" already exists')
        self.write(context)

    def write(self, context: Context) -> None:
        """Make or replace it: the files first, so that what is named is there."""
        meta, tls = self.places(context.name)
        if os.path.isdir(tls):
            shutil.rmtree(tls)
        for path, data in context.files.items():
            os.makedirs(os.path.dirname(f"{tls}/{path}"), mode=0o700, exist_ok=True)
            write_atomic(f"{tls}/{path}", data)
        os.makedirs(meta, mode=0o755, exist_ok=True)
        text = json.dumps(dict(context.meta.raw), separators=(",", ":"))
        write_atomic(f"{meta}/meta.json", text.encode(), mode=0o644)

    def remove(self, name: str) -> None:
        """Raises NotFound."""
        self.read(name)
        meta, tls = self.places(name)
        shutil.rmtree(meta)
        if os.path.isdir(tls):
            shutil.rmtree(tls)

    def places(self, name: str) -> tuple[str, str]:
        """Its folders: for meta.json, and for certificates."""
        key = hashlib.sha256(name.encode()).hexdigest()
        base = f"{self._folder}/contexts"
        return f"{base}/meta/{key}", f"{base}/tls/{key}"

    def use(self, name: str) -> None:
        """Make it the one in force. Raises NotFound."""
        if name != DEFAULT:
            self.read(name)
        path = os.path.realpath(f"{self._folder}/config.json")
        values = dict(read_config(path).document.raw)
        values.pop("currentContext", None)
        if name != DEFAULT:
            values["currentContext"] = name
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        write_atomic(path, json.dumps(values, indent="\t").encode())


def check_name(name: str) -> None:
    """Raises InvalidInput, and Conflict for the name that is reserved."""
    if name == DEFAULT:
        raise Conflict('"default" is a reserved context name')
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"context name {name!r} is invalid: want two or more of a-z, A-Z, 0-9, _ . + -, "
            "a letter or digit first"
        )


def made(name: str, description: str, engine: Engine) -> Context:
    """A new context. Raises InvalidInput where the host makes no sense."""
    base = Context(Document({"Name": name, "Metadata": {}, "Endpoints": {}}))
    return changed(base, description, engine)


def renamed(context: Context, name: str) -> Context:
    """The same under another name."""
    return Context(Document({**context.meta.raw, "Name": name}), context.files)


def changed(context: Context, description: str | None, engine: Engine | None) -> Context:
    """With another description, another engine, or both; None leaves it. Raises InvalidInput."""
    meta = dict(context.meta.raw)
    files = dict(context.files)
    if description is not None:
        about = {k: v for k, v in context.meta.child("Metadata").raw.items() if k != "Description"}
        meta["Metadata"] = {**about, **({"Description": description} if description else {})}
    if engine is not None:
        parse(engine.host)
        docker: dict[str, Json] = {"Host": engine.host, "SkipTLSVerify": engine.skip_verify}
        meta["Endpoints"] = {**context.meta.child("Endpoints").raw, "docker": docker}
        files = {path: data for path, data in files.items() if not path.startswith("docker/")}
        files |= {f"docker/{name}": data for name, data in engine.files.items()}
    return Context(Document(meta), files)


def engine_of(context: Context) -> Engine:
    """What a context says of its engine."""
    docker = context.meta.child("Endpoints", "docker")
    files = {
        path.removeprefix("docker/"): data
        for path, data in context.files.items()
        if path.startswith("docker/")
    }
    return Engine(docker.text("Host"), docker.flag("SkipTLSVerify"), files)


def _read_files(folder: str) -> dict[str, bytes]:
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found
