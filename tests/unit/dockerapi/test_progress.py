import json

import pytest

from wherry.dockerapi.encode import encode_json
from wherry.dockerapi.progress import ProgressMessage, progress_message, progress_text


@pytest.mark.parametrize(
    ("current", "total", "text"),
    [
        (0, 0, ""),
        (1234567, 0, "  1.23MB"),
        (0, 100, "[>" + " " * 50 + "]       0B/100B"),
        (50, 100, "[" + "=" * 25 + ">" + " " * 25 + "]      50B/100B"),
        (100, 100, "[" + "=" * 50 + ">]     100B/100B"),
        (300, 100, "[" + "=" * 50 + ">]     300B"),
    ],
)
def test_the_bar(current: int, total: int, text: str) -> None:
    assert progress_text(current, total) == text


def test_a_step_of_a_layer_always_has_its_detail() -> None:
    tree = json.loads(encode_json(progress_message("abc", "Pulling fs layer")))
    assert tree == {"status": "Pulling fs layer", "progressDetail": {}, "id": "abc"}


def test_a_text_about_the_whole_is_only_that() -> None:
    assert json.loads(encode_json(progress_message("", "Digest: x"))) == {"status": "Digest: x"}
    assert encode_json(ProgressMessage(stream="Loaded\n")) == b'{"stream":"Loaded\\n"}\n'
