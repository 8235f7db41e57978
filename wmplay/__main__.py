"""Where the command `wmplay` and `python -m wmplay` begin."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C while it is still loading ends in a sentence too."""
    try:
        from wmplay.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("wmplay: interrupted.\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
