"""How the time that was asked for is split over a recipe's phases, and how far along the whole of it is."""

from __future__ import annotations

from collections.abc import Sequence

from wmplay.training.phases import Phase
from wmplay.training.settings import AGENT_SHARE, Settings


class Budget:
    """Of one recipe. `index` is the number of the phase at work, `active` the seconds worked so far without pauses."""

    def __init__(self, settings: Settings, phases: Sequence[Phase]) -> None:
        self._settings, self._phases = settings, phases

    def _shares(self) -> list[float]:
        """Of each phase: collecting takes what it takes, the rest as its share says."""
        agent = AGENT_SHARE if self._settings.agent != "none" else 0.0
        shares = [p.share * (1 - agent) if p.teaches else (agent if p.name == "agent" else 0.0) for p in self._phases]
        if self._settings.seconds is not None:
            for index, phase in enumerate(self._phases):
                self._pass_on(shares, index, phase.longest / self._settings.seconds)
        return shares

    def _pass_on(self, shares: list[float], index: int, most: float) -> None:
        """What a phase would get beyond `most` to those of the world model after it, if there are any."""
        after = [number for number in range(index + 1, len(shares)) if self._phases[number].teaches]
        over, theirs = shares[index] - most, sum(shares[number] for number in after)
        if over > 0.0 and theirs > 0.0:
            shares[index] = most
            for number in after:
                shares[number] *= 1.0 + over / theirs

    def grant(self, index: int, active: float) -> float | None:
        """Seconds of the coming phase: its part of what is left of the minutes asked for, or None if steps count."""
        seconds = self._settings.seconds
        if seconds is None:
            return None
        shares = self._shares()
        rest = sum(shares[index:])
        return max(1.0, seconds - active) * shares[index] / rest if rest else None

    def progress(self, index: int) -> float:
        """Of the whole recipe, 0 to 1; collecting counts as a twentieth."""
        shares = self._shares()
        weights = [share / sum(shares) * 0.95 if share else 0.05 for share in shares]
        done = sum(weights[:index]) + weights[index] * self._phases[index].progress
        return min(1.0, done / sum(weights))

    def seconds_left(self, index: int, active: float) -> float | None:
        """Until the recipe is done; None where it is too early to tell."""
        if self._settings.seconds is None:
            return _ahead(self.progress(index), active)
        left = max(0.0, self._settings.seconds - active)
        if self._phases[index].name == "collect":  # which may outlast the time that was asked for
            left = max(left, _ahead(self._phases[index].progress, active) or 0.0)
        return left


def _ahead(progress: float, active: float) -> float | None:
    """Seconds that what is still ahead takes at the pace so far."""
    return active / progress * (1 - progress) if progress > 0.01 else None
