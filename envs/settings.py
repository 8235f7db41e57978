"""Whether what a game is set to can be meant; what cannot is told by its name."""

from typing import Any

import numpy as np

from envs.errors import ParameterError


def check_number(name: str, value: Any, low: float, high: float, says: str, whole: bool = False) -> None:
    """Raise ParameterError "name is value; says" for anything but a (whole) number from low to high."""
    kinds = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        raise ParameterError(f"{name} is {value!r}; {says}")


def check_flags(**flags: Any) -> None:
    """Raise ParameterError for anything but True and False: a text such as "no" would count as yes."""
    for name, value in flags.items():
        if not isinstance(value, (bool, np.bool_)):
            raise ParameterError(f"{name} is {value!r}; it is true or false")
