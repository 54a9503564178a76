"""The OCI specifications as values: digest, reference, platform, descriptor, manifest, config.

No input or output of any kind. Docker's own API types are in `dockerapi`; the runtime
specification is read in `runtime`, which may import the standard library only.
"""
