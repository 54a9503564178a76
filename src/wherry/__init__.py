"""wherry: the Docker platform in Python.

The map of this package is ARCHITECTURE.md at the top of the repository. Nothing is imported
here: the runtime and the monitor pay for every import in every container.
"""

__version__ = "0.1.0.dev0"
