"""`python -m wmplay` is the same as the command `wmplay`."""

from wmplay.cli import main

if __name__ == "__main__":
    main()
