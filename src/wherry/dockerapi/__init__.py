"""The Docker Remote API as typed values: requests, responses, frames, filters, status table.

No input or output of any kind, and no knowledge of how an engine does its work. What differs
between API versions is in `api.versions`; what goes over HTTP is in `api` and `client`.
"""
