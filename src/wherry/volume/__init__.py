"""Volumes: directories that outlive containers, by drivers. Today: local.

Knows no container and mounts nothing: a volume with options gives a `Mount` value.
"""
