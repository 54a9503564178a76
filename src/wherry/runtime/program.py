"""`wherry-runtime`: the runtime behind runc's command line.

Commands that enter a container run in a sealed copy of the interpreter, which costs a second start
of it; the others run at once.
"""

import os
import sys

_ENTERS_A_CONTAINER = frozenset(("create", "run", "exec"))


def main() -> None:
    """Entry point of the program."""
    words = sys.argv[1:]
    if _ENTERS_A_CONTAINER.isdisjoint(words):
        from wherry.runtime.commands.main import main as run

        run(words)
    from wherry.runtime.protect import run_sealed

    search = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    run_sealed("from wherry.runtime.commands.main import main; main(sys.argv[1:])", words, search)


if __name__ == "__main__":
    main()
