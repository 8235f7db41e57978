"""What training a slot consists of, in order: collect, the world's own phases, and the agent if one was asked for."""

from __future__ import annotations

from wmplay.training.collect_phase import CollectPhase
from wmplay.training.evolution_phase import EvolutionPhase
from wmplay.training.gradient_phase import GradientPhase
from wmplay.training.phases import Phase
from wmplay.training.workshop import Workshop
from wmplay.training.world_phase import WorldPhase


def recipe(shop: Workshop) -> list[Phase]:
    """The phases of this run. Steps, where they are the budget, are split by the phases' shares, each at least one."""
    phases: list[Phase] = [CollectPhase()]
    steps = shop.settings.steps
    specs = shop.world.phases
    given = 0
    for number, spec in enumerate(specs):
        if steps is None:
            phases.append(WorldPhase(spec, None))
            continue
        mine = steps - given if number == len(specs) - 1 else round(steps * spec.share)
        mine = max(1, mine)
        given += mine
        phases.append(WorldPhase(spec, mine))
    agent_steps = None if steps is None else shop.settings.agent_steps
    if shop.settings.agent == "evolution":
        phases.append(EvolutionPhase(agent_steps))
    elif shop.settings.agent == "policy_gradient":
        phases.append(GradientPhase(agent_steps))
    return phases
