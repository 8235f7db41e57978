"""The errors of this package that a user can cause: a game that cannot be made or breaks its promises."""


class GameError(ValueError):
    """A sentence that says what is wrong with a game, and where."""


class MissingGame(GameError):
    """There is no such id, file, module or class."""


class ParameterError(GameError):
    """A parameter that the game does not have, or a value that it cannot have."""
