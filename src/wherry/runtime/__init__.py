"""OCI runtime: create, start, state, kill, delete, exec, pause, update (program wherry-runtime).

Knows bundles, namespaces, limits and filters; knows no image, no Docker API and no log. Standard
library only, and little of it: every import is paid for in each container.
"""
