"""Use cases on images, a file each; `catalog.Catalog` is what they act on."""
