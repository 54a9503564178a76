"""Client of the distribution protocol (distribution-spec 1.1, Docker Registry HTTP API V2).

Moves blobs and manifests between registries and a blob store, checked. What an image means, and
unpacking it, do not belong here.
"""
