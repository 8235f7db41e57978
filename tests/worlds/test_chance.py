"""How much of its latent's noise a state VAE dreams with."""

import torch

from wmplay.core.spaces import ActionSpec, ObservationSpec
from wmplay.worlds.protocol import Segment
from wmplay.worlds.state_vae import StateVae, StateVaeConfig, StateVaeState


def segment(dice: float, batch: int = 256) -> Segment:
    """Pairs of rows of a game that moves by `action` − ½, and by dice of this deviation besides."""
    before, action = torch.randn(batch, 3), torch.randint(2, (batch, 2))
    after = before + action[:, 1:] - 0.5 + dice * torch.randn(batch, 3)
    no = torch.zeros(batch, 2, dtype=torch.bool)
    return Segment(torch.stack((before, after), 1), action, torch.zeros(batch, 2), no, no.clone(), ~no)


def taught(dice: float) -> StateVae:
    """A state VAE that moves exactly as the game does but for its dice, after a while of polishing."""
    torch.manual_seed(0)
    world = StateVae(StateVaeConfig(), ObservationSpec("vector", (3,)), ActionSpec("discrete", n=2))
    optimiser = torch.optim.Adam(world.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    world.train()
    for number in range(250):
        loss, _ = world.loss(segment(dice), "joint", generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if number >= 150:
            world.loss(segment(dice), "polish", generator)
    return world.eval()


def shaken(world: StateVae) -> float:
    """How far one dreamed step at temperature 1 is from the noiseless one, in the mean."""
    state, action = StateVaeState(torch.randn(512, 3)), torch.zeros(512, dtype=torch.int64)
    generator = torch.Generator().manual_seed(1)
    noisy, still = (world.step(state, action, temperature, generator)[0].vector for temperature in (1.0, 0.0))
    return float((noisy - still).detach().square().mean().sqrt())


def test_a_game_without_dice_is_dreamed_without_noise():
    """A cart that trembles by itself at temperature 1 would be another game, however exact the model is."""
    world = taught(dice=0.0)
    assert world.chance.scale < 0.8
    once = shaken(world)
    world.chance.missed.fill_(1.0)
    world.chance.shaken.fill_(1.0)
    assert once < 0.8 * shaken(world)


def test_dice_that_the_game_throws_are_thrown_in_the_dream():
    """What only chance decides must not become certain."""
    assert 0.3 < shaken(taught(dice=0.5)) < 0.8


def test_weights_from_before_dream_with_all_of_their_noise():
    """A slot that was trained earlier goes on as it was."""
    world = taught(dice=0.0)
    old = {name: value for name, value in world.state_dict().items() if not name.startswith(("chance.", "rewards."))}
    fresh = StateVae(StateVaeConfig(), ObservationSpec("vector", (3,)), ActionSpec("discrete", n=2)).eval()
    fresh.load_state_dict(old)
    assert fresh.chance.scale == 1.0
