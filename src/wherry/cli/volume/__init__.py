"""`wherry volume …`, a file each."""
