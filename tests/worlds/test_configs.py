"""A user's mistake in a model's settings or choice of game is a sentence, and it comes before any training."""

from __future__ import annotations

import dataclasses

import pytest
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from wmplay.core.config import from_json, resolve, to_json
from wmplay.core.errors import UsageError, WmplayError
from wmplay.core.spaces import ObservationSpec
from wmplay.worlds.canvas import CanvasConfig
from wmplay.worlds.vae_mdn import VaeMdn, VaeMdnConfig
from wmplay.worlds.vqvae_mdn import VqvaeMdn, VqvaeMdnConfig

from .cases import FRAME, MOVES, VECTOR, Case


def test_unknown_fields_and_impossible_values_are_refused(case: Case) -> None:
    """If not, a typing mistake trains a model with other sizes than asked for."""
    with pytest.raises(ValidationError):
        case.kind.Config(hiden_size=3)
    with pytest.raises(ValidationError):
        case.kind.Config(hidden_size=-1)


def test_configs_are_frozen_and_every_field_is_described(case: Case) -> None:
    """If not, the help of `--set` has holes."""
    config = case.kind.Config()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.hidden_size = 3
    described: dict[str, FieldInfo] = case.kind.Config.__pydantic_fields__  # type: ignore[attr-defined]
    assert all(field.description for field in described.values())


def test_the_documents_sizes_are_the_defaults() -> None:
    """If not, the families are not the documents' systems."""
    codes = VqvaeMdnConfig()
    assert (codes.image_size, codes.latent_size, codes.latent_dim, codes.codes) == (64, 8, 32, 512)
    assert (codes.hidden_size, codes.mixtures, codes.commitment) == (256, 5, 0.25)
    assert (codes.reward_weight, codes.end_weight) == (0.1, 0.1)
    paper = VaeMdnConfig()
    assert (paper.latent_size, paper.hidden_size, paper.mixtures) == (32, 256, 5)
    assert VaeMdn(paper, FRAME, MOVES).features_size == 288


def test_fields_that_do_not_fit_together_are_explained() -> None:
    """If not, the user learns it from a shape error in the middle of training."""
    with pytest.raises(ValidationError, match=r"image_size .* must be latent_size"):
        VqvaeMdnConfig(image_size=60)
    with pytest.raises(ValidationError, match=r"open_loop .* must be smaller than length"):
        VaeMdnConfig(length=8, open_loop=8)


def test_settings_that_are_no_more_do_not_spoil_a_slot_from_before() -> None:
    """A map's size was set once; slots trained then still have it in their slot.json."""
    saved = {**to_json(CanvasConfig(hidden_size=64)), "map_size": 128, "map_detail": 1.25}
    assert from_json(CanvasConfig, saved) == CanvasConfig(hidden_size=64)
    with pytest.raises(WmplayError, match="map_sizes"):
        from_json(CanvasConfig, {"map_sizes": 128})
    with pytest.raises(UsageError, match="map_size"):
        resolve(CanvasConfig, {"small": {}}, "small", ["map_size=128"])


def test_a_game_that_does_not_fit_the_family_is_refused_in_a_sentence(case: Case) -> None:
    """If not, `wmplay train` ends in a traceback."""
    wrong = FRAME if case.vector else VECTOR
    if case.kind.family == "rssm":  # which learns both, but not pictures it cannot halve
        wrong = ObservationSpec("frame", (60, 60, 3))
    with pytest.raises(UsageError):
        case.kind(case.kind.Config(), wrong, MOVES)


def test_a_codes_world_takes_other_frame_sizes() -> None:
    """If not, games at 96×96 cannot be learned."""
    spec = ObservationSpec("frame", (96, 96, 3))
    world = VqvaeMdn(VqvaeMdnConfig(image_size=96, latent_size=12, channels=8, hidden_size=8), spec, MOVES)
    assert world.cells == 144
    with pytest.raises(UsageError, match="image_size"):
        VqvaeMdn(VqvaeMdnConfig(), spec, MOVES)
