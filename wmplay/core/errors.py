"""The errors a user can cause, each one sentence that says what is wrong and what to do, with its exit code."""


class WmplayError(Exception):
    """Something failed for a reason the user can understand; the command line prints the sentence and exits 1."""

    exit_code = 1


class UsageError(WmplayError):
    """The command was given something it cannot accept; exit code 2."""

    exit_code = 2


class NotFoundError(WmplayError):
    """A game, slot, job or dataset with that name does not exist; exit code 3."""

    exit_code = 3


class Interrupted(WmplayError):
    """Ctrl-C, where there is something to say on what goes on or what was kept; exit code 130."""

    exit_code = 130
