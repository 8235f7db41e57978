"""The project's own games as plain Gymnasium environments, and adapters for anybody's. Knows nothing of wmplay."""

from typing import Any

NAMESPACE = "wmplay"


def register_once(name: str, **spec: Any) -> None:
    """Register `wmplay/<name>` unless it is registered already. `spec` is what `gymnasium.register` takes."""
    from gymnasium.envs import registration

    full = f"{NAMESPACE}/{name}"
    if full not in registration.registry:
        registration.register(id=full, **spec)


def register() -> None:
    """Register our games with Gymnasium. Entry points are strings: no game is imported. May be called repeatedly."""
    register_once(
        "GridWorld-v0",
        entry_point="envs.grid_world:GridWorld",
        vector_entry_point="envs.grid_world_vector:GridWorldVector",
        max_episode_steps=100,
    )
    register_once(
        "CarRacing-v0",
        entry_point="envs.car_racing:CarRacing",
        vector_entry_point="envs.car_racing:CarRacingVector",
        max_episode_steps=1000,
    )
    register_once(
        "CartPole-v0",
        entry_point="envs.cartpole:CartPole",
        vector_entry_point="envs.cartpole_vector:CartPoleVector",
        max_episode_steps=500,
    )
