"""The `filters` query parameter: `{"label":{"a=b":true}}` or, older, `{"label":["a=b"]}`."""

import json
import re
from collections.abc import Mapping
from typing import Final

import msgspec

from wherry.kit.errors import InvalidInput

CONTAINERS: Final = frozenset(
    "ancestor before exited id isolation label name status health since volume network is-task"
    " publish expose".split()
)
CONTAINERS_PRUNE: Final = frozenset(("label", "label!", "until"))
IMAGES: Final = frozenset(("dangling", "label", "before", "since", "reference", "until"))
IMAGES_PRUNE: Final = frozenset(("dangling", "label", "label!", "until"))
NETWORKS: Final = frozenset(("dangling", "driver", "id", "label", "name", "scope", "type"))
NETWORKS_PRUNE: Final = frozenset(("label", "label!", "until"))
SEARCH: Final = frozenset(("is-automated", "is-official", "stars"))
VOLUMES: Final = frozenset(("dangling", "driver", "label", "name"))
VOLUMES_PRUNE: Final = frozenset(("label", "label!", "all"))

_TRUE = {"1", "true"}
_FALSE = {"0", "false"}


class Filters(msgspec.Struct, frozen=True):
    """Names to the values asked for; a name matches where one of its values does."""

    values: dict[str, tuple[str, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self.values)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def get(self, name: str) -> tuple[str, ...]:
        """The values of a name, empty where it was not given."""
        return self.values.get(name, ())

    def exact(self, name: str, value: str) -> bool:
        """Whether the value is among those asked for, or none was."""
        wanted = self.get(name)
        return not wanted or value in wanted

    def match(self, name: str, value: str) -> bool:
        """As `exact`, or one of the values, as a regular expression, is found in it."""
        return self.exact(name, value) or any(_search(one, value) for one in self.get(name))

    def prefix(self, name: str, value: str) -> bool:
        """As `exact`, or the value starts with one of those asked for."""
        return self.exact(name, value) or value.startswith(self.get(name))

    def labels(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether every `key` or `key=value` asked for is among the labels."""
        return all(_has_label(one, labels) for one in self.get(name))

    def boolean(self, name: str, default: bool) -> bool:
        """A yes or no. Raises InvalidInput for anything else, or for both."""
        wanted = set(self.get(name))
        if name not in self.values:
            return default
        yes, no = bool(wanted & _TRUE), bool(wanted & _FALSE)
        if yes == no:
            raise InvalidInput(f"Invalid filter '{name}=[{' '.join(self.get(name))}]'")
        return yes

    def check(self, allowed: frozenset[str]) -> "Filters":
        """Itself. Raises InvalidInput for a name that is not allowed."""
        for name in self.values:
            if name not in allowed:
                raise InvalidInput(f"Invalid filter '{name}'")
        return self


def parse(text: str) -> Filters:
    """Read the parameter; empty means no filters. Raises InvalidInput."""
    if not text:
        return Filters()
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"invalid filter: {error}") from error
    if tree is None:
        return Filters()
    if not isinstance(tree, dict):
        raise InvalidInput("invalid filter: want a JSON object of names to values")
    return Filters({name: _values(name, value) for name, value in tree.items()})


def encode(filters: Mapping[str, list[str] | tuple[str, ...]]) -> str:
    """The parameter a client sends."""
    return json.dumps({name: dict.fromkeys(values, True) for name, values in filters.items()})


def _values(name: str, value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, dict) and all(isinstance(one, bool) for one in value.values()):
        return tuple(value)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    raise InvalidInput(f"invalid filter '{name}': want a list of texts or an object of true")


def _search(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:
        return False


def _has_label(wanted: str, labels: Mapping[str, str]) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)
