"""What is known of layers that have been unpacked here before."""

from wherry.engine.engine import Engine
from wherry.engine.images.config import stored
from wherry.kit.errors import Corrupt, NotFound
from wherry.oci.digest import Digest


def diff_ids(engine: Engine) -> dict[Digest, Digest]:
    """The blobs of all images' layers, each with what it unpacks to. Blocking.

    It was checked when their image was recorded. A damaged image is passed over: it is told of
    by `fsck`, and when it is used.
    """
    found: dict[Digest, Digest] = {}
    for record in engine.catalog:
        image = stored(engine, record)
        try:
            blobs = [layer.digest for layer in image.layers]
            found.update(zip(blobs, image.config.rootfs.diff_ids, strict=False))
        except (Corrupt, NotFound):
            continue
    return found
