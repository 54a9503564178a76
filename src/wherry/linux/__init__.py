"""System calls and kernel objects: mounts, namespaces, processes, capabilities, netlink.

Standard library only, and little of it: every container pays for these imports. Nothing here
knows what a container, an image or Docker is.
"""
