"""The Docker Remote API over HTTP: listeners, routes, versions, hijacked streams.

Handlers turn a request into values, call one use case of `engine`, and turn its result into an
answer; they decide nothing. Types of the API are in `dockerapi`.
"""
