"""Images as immutable values over a blob store: read, change, check, load and save archives.

Moving them over a network is `remote`; unpacking a layer into a file system is `layer`.
"""
