"""Control groups as the kernel shows them: where hierarchies are, directories, events.

What a container's limits mean and where its groups go is decided in `wherry.runtime.cgroups`.
"""
