"""What Gymnasium's vector environments agree on about resets: modes, masks and seeds, for our batched games."""

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray


def as_mode(mode: AutoresetMode | str) -> AutoresetMode:
    """The autoreset mode given as itself, its value ("NextStep") or its name ("NEXT_STEP"). Raises ValueError."""
    if isinstance(mode, AutoresetMode):
        return mode
    for known in AutoresetMode:
        if mode in (known.value, known.name):
            return known
    raise ValueError(f"autoreset_mode is {mode!r}; choose one of {', '.join(m.name for m in AutoresetMode)}")


def reset_mask(options: dict[str, Any] | None, count: int) -> NDArray[np.bool_]:
    """Which environments to reset: `options["reset_mask"]`, bool [N], or all. Raises ValueError for another shape."""
    if not options or "reset_mask" not in options:
        return np.ones(count, dtype=np.bool_)
    mask = options["reset_mask"]
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (count,) or not mask.any():
        raise ValueError(f"reset_mask must be a bool array of shape ({count},) with at least one True")
    return mask.copy()


def generators(
    env: VectorEnv[Any, Any, Any],
    old: list[np.random.Generator],
    seed: int | list[int | None] | None,
    mask: NDArray[np.bool_],
) -> list[np.random.Generator]:
    """One generator for each environment, seeded as Gymnasium seeds single ones: `seed + i`, or seeds from a list.

    Where no seed is given an existing generator goes on; without one, a random seed is drawn.
    """
    count = env.num_envs
    if seed is None:
        seeds: list[int | None] = [None] * count
    elif isinstance(seed, (int, np.integer)):
        seeds = [int(seed) + i for i in range(count)]
        env._np_random, env._np_random_seed = np.random.default_rng(int(seed)), int(seed)
    else:
        seeds = list(seed)
    if len(seeds) != count:
        raise ValueError(f"{len(seeds)} seeds were given for {count} environments")
    fresh = list(old) if old else [np.random.Generator(np.random.PCG64(s)) for s in seeds]
    if old:
        for i in np.flatnonzero(mask):
            if seeds[i] is not None:
                fresh[i] = np.random.Generator(np.random.PCG64(seeds[i]))
    return fresh


def final_infos(
    ended: NDArray[np.bool_], observations: NDArray[Any], info: dict[str, NDArray[Any]] | None = None
) -> dict[str, Any]:
    """Gymnasium's `final_obs` and `final_info` for SAME_STEP, where `ended` bool [N] says.

    observations [N, ...] and the arrays of info [N, ...] are those before the reset; they are copied.
    """
    final = np.full(len(ended), None, dtype=object)
    for i in np.flatnonzero(ended):
        final[i] = observations[i].copy()
    infos: dict[str, Any] = {}
    for name, values in (info or {}).items():
        kept = np.zeros_like(values)
        kept[ended] = values[ended]
        infos[name], infos[f"_{name}"] = kept, ended.copy()
    return {"final_obs": final, "_final_obs": ended.copy(), "final_info": infos, "_final_info": ended.copy()}
