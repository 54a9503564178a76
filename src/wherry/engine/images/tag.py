"""POST /images/{name}/tag."""

from wherry.engine.engine import Engine
from wherry.kit.errors import InvalidInput
from wherry.oci import reference as references


async def tag(engine: Engine, name: str, repository: str, tag: str) -> None:
    """Point `repository:tag` at the image. Raises NoSuchImage, InvalidInput."""
    image = engine.catalog.find(name).image
    target = references.parse(repository)
    if target.digest is not None:
        raise InvalidInput("refusing to create a tag with a digest reference")
    if tag:
        target = target.with_tag(tag)
    await engine.catalog.tag(image, target.with_default_tag())
