"""The name server inside of containers, 127.0.0.11: messages, names, forwarding, sockets.

Runs in the network process: standard library only, and little of it.
"""
