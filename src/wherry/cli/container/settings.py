"""The values of many flags with typed look-ups."""

from collections.abc import Mapping
from typing import TypeVar

Kind = TypeVar("Kind")


class Settings:
    """Flag values by name; each getter names the type the flag's reader gives."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        """A text; empty where the flag was not given."""
        found = self._values[name]
        assert found is None or isinstance(found, str), name
        return found or ""

    def number(self, name: str) -> int:
        """A number; 0 where the flag was not given."""
        found = self._values[name]
        assert found is None or isinstance(found, int), name
        return found or 0

    def on(self, name: str) -> bool:
        """Whether a switch is on."""
        return self._values[name] is True

    def given(self, name: str) -> bool:
        """Whether a flag without a default was given."""
        return self._values[name] is not None

    def texts(self, name: str) -> list[str]:
        """The texts of a flag that may be given often."""
        return self.many(name, str)

    def many(self, name: str, kind: type[Kind]) -> list[Kind]:
        """The values of a flag that may be given often."""
        found = self._values[name]
        assert isinstance(found, list), name
        items = [item for item in found if isinstance(item, kind)]
        assert len(items) == len(found), name
        return items
