"""The image commands, one file each. Decides nothing about images: that is behind the API."""
