"""`wherry network …`, a file each."""
