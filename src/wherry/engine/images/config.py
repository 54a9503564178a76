"""An image's configuration, read from the content store."""

from wherry.engine.engine import Engine
from wherry.engine.records import ImageRecord
from wherry.image.image import StoredImage
from wherry.oci.config import ImageConfig


def stored(engine: Engine, record: ImageRecord) -> StoredImage:
    """The image as a value over the content store."""
    return StoredImage(engine.blobs, record.manifest)


async def image_config(engine: Engine, record: ImageRecord) -> ImageConfig:
    """Raises NotFound, Corrupt where the blob is missing or damaged."""
    return await engine.lanes.files(lambda: stored(engine, record).config)
