"""For all tests: hypothesis never judges by the clock, for the machine may be busy."""

from hypothesis import settings

settings.register_profile("wherry", deadline=None)
settings.load_profile("wherry")
