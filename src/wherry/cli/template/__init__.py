"""Go's text/template, as much of it as Docker's `--format` documents.

Knows nothing of containers: `parse` makes nodes of a text, `evaluate` runs them over JSON values.
"""
