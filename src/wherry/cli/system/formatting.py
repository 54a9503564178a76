"""One JSON value by `--format`."""

import json

from wherry.cli.command import Failed
from wherry.cli.template.evaluate import Template
from wherry.cli.template.nodes import TemplateError
from wherry.client.document import Json


def formatted(value: Json, form: str) -> str:
    """The value as JSON (`json`) or by a template. Raises Failed for a template that is wrong."""
    if form == "json":
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    try:
        return Template(form.replace("\\t", "\t").replace("\\n", "\n")).render(value)
    except TemplateError as error:
        raise Failed(f"Template parsing error: {error}", 64) from error
