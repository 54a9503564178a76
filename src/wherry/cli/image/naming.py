"""Names for new images."""

from wherry.kit.errors import InvalidInput
from wherry.oci import reference as references


def repository_and_tag(text: str) -> tuple[str, str]:
    """A name for an image, as the API takes it; `latest` by default. Raises InvalidInput."""
    try:
        parsed = references.parse(text)
    except InvalidInput as error:
        raise InvalidInput(
            f'Error parsing reference: "{text}" is not a valid repository/tag: {error}'
        ) from error
    if parsed.digest is not None:
        raise InvalidInput("refusing to create a tag with a digest reference")
    named = parsed.with_default_tag()
    return named.familiar_repository, named.tag or ""
