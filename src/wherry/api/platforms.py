"""The `platform` parameter of newer versions: an OCI platform as JSON."""

from wherry.api.call import Call
from wherry.dockerapi.decode import decode_json
from wherry.dockerapi.images import ImageInspect
from wherry.dockerapi.version import ApiVersion
from wherry.kit.errors import InvalidInput, NotFound
from wherry.oci import platform as platforms
from wherry.oci.platform import Platform


def wanted_platform(call: Call, *, since: int) -> Platform | None:
    """The platform, for versions from 1.since on. Raises InvalidInput."""
    texts = call.texts("platform")
    if call.version < ApiVersion(1, since) or not any(texts):
        return None
    if len(texts) > 1:
        raise InvalidInput("multiple platform parameters not supported")
    return decode_platform(texts[0])


def decode_platform(text: str) -> Platform:
    """`{"os":"linux","architecture":"amd64"}`. Raises InvalidInput."""
    try:
        return decode_json(text.encode(), Platform)
    except (InvalidInput, TypeError) as error:
        raise InvalidInput(
            f"failed to parse platform: {error} (want JSON with os and architecture)"
        ) from error


def check_offered(name: str, wanted: Platform | None, image: ImageInspect) -> None:
    """Raises NotFound where the image that is here is for another platform."""
    offered = Platform(image.architecture, image.os, image.variant)
    if wanted is not None and not platforms.matches(wanted, offered):
        raise NotFound(
            f"image with reference {name} was found but does not provide the specified platform"
            f" ({wanted})"
        )
