"""The container commands, one file each, and how `run` and `create` read their flags.

What several kinds of object need (flags, tables, templates) is one floor up, in `cli`.
"""
