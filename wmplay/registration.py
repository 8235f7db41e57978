"""Tells Gymnasium which environments wmplay has: its games and `wmplay/Dream-v0`.

Entry points are strings, so that registering imports neither torch nor a game. Since Gymnasium 1.0 there is no plugin
loader any more; `wmplay.autoload` calls `register` as soon as somebody imports gymnasium.
"""

import envs


def register() -> None:
    """Register the games and the dream with Gymnasium. May be called any number of times."""
    envs.register()
    envs.register_once(
        "Dream-v0",
        entry_point="wmplay.dreams:DreamEnv",
        vector_entry_point="wmplay.dreams:DreamVectorEnv",
    )
