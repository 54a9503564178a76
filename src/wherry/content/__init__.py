"""Blobs by digest in an OCI layout folder: resumable ingest, leases, mark and sweep.

What the blobs mean (image, layer, archive) does not belong here, except for following the
descriptors in manifests while marking.
"""
