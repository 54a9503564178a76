"""The runtime on the real kernel, as root and as a plain user."""
