"""The one error of this package that a user can cause: a game that cannot be made or breaks its promises."""


class GameError(ValueError):
    """A sentence that says what is wrong with a game, and where."""
