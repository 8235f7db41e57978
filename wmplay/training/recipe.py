"""What training a slot consists of, in order: collect, the world's own phases, and the agent if one was asked for."""

from __future__ import annotations

from wmplay.training.collect_phase import CollectPhase
from wmplay.training.evolution_phase import EvolutionPhase
from wmplay.training.gradient_phase import GradientPhase
from wmplay.training.phases import Phase
from wmplay.training.polish_phase import PolishPhase
from wmplay.training.side_by_side import SideBySide
from wmplay.training.workshop import Workshop
from wmplay.training.world_phase import WorldPhase


def recipe(shop: Workshop) -> list[Phase]:
    """The phases of this run. Steps, where they are the budget, are split by the phases' shares, each at least one."""
    steps, asked = shop.settings.steps, shop.settings.phases
    specs = [spec for spec in shop.world.phases if not asked or spec.name in asked]
    shares = sum(spec.share for spec in specs)
    worlds: list[WorldPhase | SideBySide] = []
    given = 0
    for number, spec in enumerate(specs, 1):
        mine = None
        if steps is not None:
            mine = max(1, steps - given if number == len(specs) else round(steps * spec.share / shares))
            given += mine
        phase = (PolishPhase if spec.polish else WorldPhase)(spec, mine, number)
        before = worlds[-1] if worlds else None
        if spec.independent and isinstance(before, WorldPhase):
            worlds[-1] = SideBySide(before, phase)
        else:
            worlds.append(phase)
    phases: list[Phase] = [CollectPhase(), *worlds]
    agent_steps = None if steps is None else shop.settings.agent_steps
    if shop.settings.agent == "evolution":
        phases.append(EvolutionPhase(agent_steps))
    elif shop.settings.agent == "policy_gradient":
        phases.append(GradientPhase(agent_steps))
    return phases
