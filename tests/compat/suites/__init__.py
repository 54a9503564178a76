"""Other people's suites, run against dockerd and against ours: `./dev test compat --aiodocker`.

Nothing of them is kept here: aiodocker's comes with its source archive on the package index,
docker-py's from a checkout that is named. What is pulled comes from one local mirror.
"""
