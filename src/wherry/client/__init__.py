"""A client of the Docker Remote API over unix sockets, TCP and TLS; standard library only.

The command line and Python users use the same functions. What decides, stores or runs anything
does not belong here: that is behind the API. Nothing is imported here, to keep start-up short.
"""
