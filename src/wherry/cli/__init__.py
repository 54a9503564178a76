"""The command line `wherry …`: one file a command, a client of the API and nothing else.

It reads flags as Docker does, asks the engine, and writes what came back. No decision about
containers or images is made here. Nothing is imported here, to keep start-up short.
"""
