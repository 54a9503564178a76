"""`wherry-runtime`: the runtime behind runc's command line.

This file is imported by the interpreter that a container could get at, so it does one thing: run
the commands in a sealed copy.
"""

import os
import sys


def main() -> None:
    """Entry point of the program."""
    from wherry.runtime.protect import run_sealed

    search = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    run_sealed(
        "from wherry.runtime.commands.main import main; main(sys.argv[1:])", sys.argv[1:], search
    )


if __name__ == "__main__":
    main()
