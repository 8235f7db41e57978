"""What a world model is: the surface that training, dreams and reports meet, never a family's name.

Shapes: B batch, T time, H W C frame, S state vector, A action, F features.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from wmplay.core.spaces import ActionSpec, ObservationSpec


class Segment(NamedTuple):
    """T consecutive rows of recorded play for B streams. Row t holds what *arrived* at t and the action that led there.

    observation: uint8 [B, T, H, W, 3] or float32 [B, T, S]; in an encoded phase, what `World.encode` made of it
    action: int64 [B, T] or float32/int64 [B, T, A], the action taken before arriving at row t (ignored where first)
    reward: float32 [B, T], received on arriving
    terminated: bool [B, T], the episode ended for good on arriving
    first: bool [B, T], row t is the first of an episode
    mask: bool [B, T], False where a short episode was padded
    encoded: in a phase that asks for it `beside` the observations, what `World.encode` made of them; else None
    """

    observation: Tensor
    action: Tensor
    reward: Tensor
    terminated: Tensor
    first: Tensor
    mask: Tensor
    encoded: Tensor | None = None

    def pieces(self, rows: int) -> Segment:
        """The same rows as more and shorter segments, [B · T / rows, rows]; T must be a multiple of `rows`."""
        cut = (part if part is None else part.unflatten(1, (-1, rows)).flatten(0, 1) for part in self)
        return Segment(*cut)  # type: ignore[arg-type]

    def streams(self, count: int) -> Segment:
        """The first `count` of the B streams."""
        return Segment(*(part if part is None else part[:count] for part in self))  # type: ignore[arg-type]


# A world's latent state: a NamedTuple of tensors, each with leading axis B: anyone can copy, index, save or branch it.
State = Any


@dataclass(frozen=True)
class PhaseSpec:
    """One stage of training a family, as data the generic loop can run.

    modules: names of the sub-modules whose parameters this phase trains; the others are frozen
    share: part of the training budget (time or steps); the shares of a family's phases add up to 1
    boundaries: `cross` = segments run over episode ends (see `first`), `pad` = short episodes are padded (see `mask`)
    encoded: segments carry `World.encode` of each observation, computed once before the phase
    beside: what is encoded does not take the observations' place but stands beside them, as `Segment.encoded`
    polish: by Gauss-Newton steps on `World.residuals`, for modules whose parameters are those of few linear layers
    compiled: parts of its loss are marked `compilable`, so that a long phase may gain from having them compiled
    independent: it needs nothing that the phase before it learns, and is trained at the same time where that pays
    brief: rows of the pieces that segments are cut into for the first part of the phase, `brief_part`; 0 leaves them
        whole. What comes from far back or leads far ahead is learned sooner once a single step is (Bengio et al. 2009)
    muon: steps of its weight matrices are Muon's (`training.muon`) and not Adam's
    least: steps to be had in a budget of time: where the machine is too slow for so many, batches are made smaller,
        since few large steps teach less than many small ones
    longest: seconds after which more would teach little; what its share is beyond that goes to the phases after it
    like: a phase before it whose steps cost the same, so that the precision measured for it is the fastest here too
    """

    name: str
    modules: tuple[str, ...]
    share: float
    batch: int
    length: int
    learning_rate: float
    boundaries: Literal["cross", "pad"] = "cross"
    encoded: bool = False
    beside: bool = False
    polish: bool = False
    compiled: bool = False
    independent: bool = False
    brief: int = 0
    brief_part: float = 0.7
    muon: bool = False
    least: int = 0
    longest: float = math.inf
    like: str = ""
    weight_decay: float = 0.0
    clip: float = 100.0
    warmup: int = 100
    decay: bool = True


class World(nn.Module, ABC):
    """A network that has learned a game. Subclasses are families; one file each.

    Class attributes: `family`, `Config` (a frozen pydantic dataclass whose joint checks raise ValueError in plain
    words), `presets` (name -> field overrides of Config), `drawn`: whether each step is drawn from a distribution
    learned with rounded products, so that batches of dreams may be computed with such too, rounding being far below
    the width of what is drawn; and `halved`: sub-modules whose matrices a slot keeps in half precision, being learned
    with such products and read by nothing that adds up over a dream.
    """

    family: ClassVar[str]
    Config: ClassVar[type]
    presets: ClassVar[dict[str, dict[str, Any]]]
    drawn: ClassVar[bool] = False
    halved: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: Any, observation: ObservationSpec, action: ActionSpec) -> None:
        super().__init__()
        self.config = config
        self.observation = observation
        self.action = action
        # Set by whoever knows the game when the observation is a vector: float32 [B, S] -> uint8 [B, H, W, 3].
        self.draw: Callable[[Any], Any] | None = None

    @property
    @abstractmethod
    def phases(self) -> tuple[PhaseSpec, ...]:
        """The stages of training, in order."""

    @property
    @abstractmethod
    def features_size(self) -> int:
        """F, the length of `features`."""

    @property
    def features_grid(self) -> tuple[int, int, int] | None:
        """(H, W, C) if the first H·W·C features are a picture of codes, row by row; else None."""
        return None

    @abstractmethod
    def loss(self, segment: Segment, phase: str, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Teach it one batch: the scalar to minimise and detached scalar metrics (names shared by families where the
        meaning is: `loss`, `reconstruction`, `kl`, `nll`, `reward`, `end`, `perplexity`)."""

    def residuals(self, segment: Segment, phase: str) -> Tensor:  # noqa: ARG002
        """[N, S], of which a phase with `polish` makes the squares small: N rows that do not mix, S errors of each."""
        raise TypeError(f"{type(self).__name__} has no phase that is polished")

    def prepare(self, phase: str) -> None:
        """Called before a phase's first step, not where it is resumed: for what begins from what others learned."""

    def learned(self, phase: str) -> bool:  # noqa: ARG002 - most phases can always go on
        """Whether a phase has nothing more to learn, so that the rest of its time goes to the next one."""
        return False

    def encode(self, observation: Tensor) -> Tensor:  # noqa: ARG002
        """Deterministic encoding [N, ...] of observations [N, ...] for phases with `encoded=True`."""
        raise TypeError(f"{type(self).__name__} has no encoded phase")

    def encode_after(self, previous: Tensor, observation: Tensor) -> Tensor:  # noqa: ARG002
        """`encode` for families that must also see the row before (the row itself at a dataset's start)."""
        return self.encode(observation)

    @abstractmethod
    def begin(self, context: Segment, generator: torch.Generator | None = None) -> State:
        """Read real rows [B, C] and arrive at a latent state after the last of them."""

    @abstractmethod
    def update(self, state: State, action: Tensor, observation: Tensor, first: Tensor) -> State:
        """One real step: the state after taking `action` [B, ...] and seeing `observation` [B, ...]; `first` bool [B]
        forgets what was before. Serves agents in the real game and re-synchronisation of a dream."""

    @abstractmethod
    def step(
        self, state: State, action: Tensor, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> tuple[State, Tensor, Tensor]:
        """One imagined step. Returns the next state, reward float32 [B] and end probability float32 [B].

        temperature scales the sampling noise; at 0 there is none: the most likely outcome, or the expected picture
        where a family says so. All randomness is from `generator`.
        """

    @abstractmethod
    def observe(self, state: State) -> Tensor:
        """What the game would show: uint8 [B, H, W, 3], or float32 [B, S] for vector games."""

    def frames(self, state: State) -> Tensor:
        """What the dreamer sees, uint8 [B, H, W, 3], also for vector games (by the game's own drawing function)."""
        seen = self.observe(state)
        if self.observation.kind == "frame":
            return seen
        if self.draw is None:
            raise TypeError("a vector world needs its game's drawing function in `draw`")
        return torch.as_tensor(self.draw(seen.cpu().numpy()))

    @abstractmethod
    def features(self, state: State) -> Tensor:
        """What a controller reads, float32 [B, F]: (z, h) for the 2018 family."""


def map_state(state: State, function: Callable[[Tensor], Tensor]) -> State:
    """Apply a function to every tensor of a state: copy, index, move, branch."""
    return type(state)(*(function(part) for part in state))
