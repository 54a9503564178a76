import pytest

from wherry.dockerapi.status import error_of, status_of
from wherry.kit import errors


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 500, 501, 503])
def test_a_status_survives_the_way_there_and_back(status: int) -> None:
    assert status_of(error_of(status, "text")) == status


def test_every_error_class_has_a_status() -> None:
    for kind in errors.WherryError.__subclasses__():
        status = status_of(kind("x"))
        assert 400 <= status <= 503
        assert status_of(error_of(status, "x")) == status


def test_subclasses_count_as_their_class() -> None:
    class NoSuchImage(errors.NotFound):
        pass

    assert status_of(NoSuchImage("x")) == 404


def test_what_is_not_ours_is_500() -> None:
    assert status_of(ValueError("x")) == 500


@pytest.mark.parametrize(("status", "kind"), [(418, errors.InvalidInput), (599, errors.Internal)])
def test_unknown_statuses_keep_their_side(status: int, kind: type[errors.WherryError]) -> None:
    assert type(error_of(status, "x")) is kind
