"""A container's cgroups, found by its record: the same path whatever runtime made them."""

from wherry.engine.containers.container import Container
from wherry.engine.engine import Engine
from wherry.kit.errors import Conflict
from wherry.runtime.cgroups.none import PlacementNone
from wherry.runtime.cgroups.placement import Placement, placement


def placed(engine: Engine, container: Container) -> Placement:
    """Raises Conflict where it does not run."""
    if not container.running:
        raise Conflict(f"Container {container.id} is not running")
    if engine.host.cgroup == "none":
        return PlacementNone(container.state.pid)
    rootless = engine.host.ids != "real"
    return placement(container.record.cgroup, container.id, rootless=rootless)
