"""The program's log: the file that runc's callers read errors from, and stderr."""

import json
import sys

from wherry.kit import clock
from wherry.kit.errors import InvalidInput


class Journal:
    """Writes lines as `--log` and `--log-format` ask for."""

    __slots__ = ("_format", "_path")

    def __init__(self, path: str = "", form: str = "text") -> None:
        if form not in ("text", "json", ""):
            raise InvalidInput(f"--log-format: {form!r} is neither text nor json")
        self._path = path
        self._format = form or "text"

    def warning(self, text: str) -> None:
        """Something that was done differently than asked for."""
        self._write("warning", text)

    def error(self, text: str) -> None:
        """Why the command failed: in the file where there is one, and always on stderr."""
        if self._path:
            self._write("error", text)
        sys.stderr.write(f"{text}\n")

    def _write(self, level: str, text: str) -> None:
        if not self._path:
            sys.stderr.write(f"{level}: {text}\n")
            return
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(self._line(level, text))

    def _line(self, level: str, text: str) -> str:
        if self._format == "json":
            fields = {"level": level, "msg": text, "time": clock.rfc3339(clock.now())}
            return json.dumps(fields) + "\n"
        moment = clock.rfc3339(clock.now())
        return f'time="{moment}" level={level} msg={json.dumps(text)}\n'
