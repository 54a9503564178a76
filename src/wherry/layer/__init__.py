"""Layers: tar streams to directory trees and back, whiteouts, compression, archives of a path.

Knows nothing of images, snapshots or the API: callers pass directories, descriptors and streams.
Where a layer lies and what it is stacked on is `snapshot`'s business.
"""
