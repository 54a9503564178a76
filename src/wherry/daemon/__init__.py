"""The daemon: configuration and the composition root, the only place where all parts are named.

`main` reads the command line, `keeper` puts a plain user's daemon into its namespaces, `serve`
opens the engine and its listeners, `doctor` says what this machine can do, `demo` shows it all.
"""
