"""The route table beside the published API description (v1.41.yaml and v1.51.yaml)."""

import pytest

from wherry.api.application import hijack_routes, routes
from wherry.api.routes import Route, Router, split_version
from wherry.dockerapi.version import ApiVersion
from wherry.kit.errors import InvalidInput, NotFound

PUBLISHED = """
GET /containers/json
POST /containers/create
GET /containers/{id}/json
GET /containers/{id}/top
GET /containers/{id}/logs
GET /containers/{id}/changes
GET /containers/{id}/export
GET /containers/{id}/stats
POST /containers/{id}/resize
POST /containers/{id}/start
POST /containers/{id}/stop
POST /containers/{id}/restart
POST /containers/{id}/kill
POST /containers/{id}/update
POST /containers/{id}/rename
POST /containers/{id}/pause
POST /containers/{id}/unpause
POST /containers/{id}/attach
GET /containers/{id}/attach/ws
POST /containers/{id}/wait
DELETE /containers/{id}
HEAD /containers/{id}/archive
GET /containers/{id}/archive
PUT /containers/{id}/archive
POST /containers/prune
GET /images/json
POST /build
POST /build/prune
POST /images/create
GET /images/{id}/json
GET /images/{id}/history
POST /images/{id}/push
POST /images/{id}/tag
DELETE /images/{id}
GET /images/search
POST /images/prune
POST /auth
GET /info
GET /version
GET /_ping
HEAD /_ping
POST /commit
GET /events
GET /system/df
GET /images/{id}/get
GET /images/get
POST /images/load
POST /containers/{id}/exec
POST /exec/{id}/start
POST /exec/{id}/resize
GET /exec/{id}/json
GET /volumes
POST /volumes/create
GET /volumes/{id}
DELETE /volumes/{id}
POST /volumes/prune
GET /networks
GET /networks/{id}
DELETE /networks/{id}
POST /networks/create
POST /networks/{id}/connect
POST /networks/{id}/disconnect
POST /networks/prune
GET /plugins
GET /swarm
POST /swarm/init
POST /swarm/join
POST /swarm/leave
GET /nodes
GET /services
GET /tasks
GET /secrets
GET /configs
GET /distribution/{id}/json
POST /session
""".split("\n")


@pytest.mark.parametrize("line", [line for line in PUBLISHED if line])
@pytest.mark.parametrize("prefix", ["", "/v1.12", "/v1.41", "/v1.51"])
def test_every_published_path_has_a_route(line: str, prefix: str) -> None:
    method, path = line.split(" ")
    name = "registry.example:5000/team/app"
    target = prefix + path.replace("{id}", name)
    hijack = line in ("POST /containers/{id}/attach", "POST /exec/{id}/start")
    found = Router(hijack_routes()) if hijack else Router(routes())
    route = found.find(method, target)
    assert route.route.pattern == path.replace("{id}", "{name}")
    assert route.name == (name if "{id}" in path else "")


def test_exact_paths_win_over_names() -> None:
    found = Router(routes())
    assert found.find("GET", "/images/json").name == ""
    assert found.find("GET", "/images/get").name == ""
    assert found.find("POST", "/containers/prune").route.pattern == "/containers/prune"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", ""),
        ("GET", "/containers"),
        ("GET", "/containers//json"),
        ("DELETE", "/containers/"),
        ("PATCH", "/info"),
        ("GET", "/v1.41"),
        ("GET", "/v1.41/v1.41/info"),
        ("GET", "/vx/info"),
    ],
)
def test_everything_else_is_not_found(method: str, path: str) -> None:
    with pytest.raises(NotFound, match="page not found"):
        Router(routes()).find(method, path)


def test_versions_are_split_off() -> None:
    assert split_version("/v1.41/info") == ("1.41", "/info")
    assert split_version("/info") == (None, "/info")
    assert split_version("/v1/info") == (None, "/v1/info")


def test_a_route_may_be_too_new_for_a_client() -> None:
    async def handler(engine: None, call: object) -> object:
        raise AssertionError

    found = Router([Route("GET", "/new", handler, since=ApiVersion(1, 45))])  # type: ignore[arg-type]
    assert found.find("GET", "/v1.45/new").version == (1, 45)
    with pytest.raises(InvalidInput, match=r"needs API version 1\.45"):
        found.find("GET", "/v1.44/new")
