"""Throw-away engines, registries, images from dicts, and fakes that pass the contract suites.

Public: programs that use wherry may test with these. Nothing in the product imports it.
"""
