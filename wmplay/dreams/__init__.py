"""A slot as a place to be: its world model loaded, run in batches, and wrapped as Gymnasium environments."""

from wmplay.dreams.dreamer import CONTEXT, Dreamer, Snapshot
from wmplay.dreams.env import DreamEnv
from wmplay.dreams.load import build_world, load_contexts, load_dreamer, load_world
from wmplay.dreams.vector import DreamVectorEnv

__all__ = [
    "CONTEXT",
    "DreamEnv",
    "DreamVectorEnv",
    "Dreamer",
    "Snapshot",
    "build_world",
    "load_contexts",
    "load_dreamer",
    "load_world",
]
