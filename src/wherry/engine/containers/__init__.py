"""Use cases on containers, a file each; `container.Container` is what they act on."""
