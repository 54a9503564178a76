"""The use cases: what can be done with containers, images, execs, networks and volumes.

`Engine.open(settings)` gives the engine; each use case is a function in the file of its name that
takes the engine first. Everything is asyncio; decisions are plain functions on values; blocking
work goes through `lanes`. HTTP does not belong here (that is `api`), nor do the mechanics of
storage, network and processes (those are the floors below).
"""
