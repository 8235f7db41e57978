"""Settings from the command line are checked together, and every mistake is told at once in plain words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pydantic
import pytest

from wmplay.core import config
from wmplay.core.errors import NotFoundError, UsageError, WmplayError


@pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(extra="forbid"))
class Config:
    latent_size: int = pydantic.Field(32, ge=1)
    learning_rate: float = pydantic.Field(1e-3, gt=0)
    channels: tuple[int, ...] = (32, 64)
    kind: Literal["lstm", "gru"] = "lstm"
    symlog: bool = False

    @pydantic.model_validator(mode="after")
    def _together(self) -> Config:
        if self.latent_size % len(self.channels):
            raise ValueError("latent_size must be divisible by the number of channels")
        return self


PRESETS = {"tiny": {"latent_size": 4}, "base": {"latent_size": 512}}


def test_the_later_wins(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('latent_size = 8\nkind = "gru"\n')
    found = config.resolve(Config, PRESETS, "tiny", ["learning_rate=1e-4", "latent_size=16"], file)
    assert found == Config(latent_size=16, learning_rate=1e-4, kind="gru")


def test_values_are_read_as_people_write_them() -> None:
    found = config.resolve(Config, PRESETS, "tiny", ["channels=8,16", "symlog=yes", "kind=gru"])
    assert (found.channels, found.symlog, found.kind) == ((8, 16), True, "gru")
    assert config.resolve(Config, PRESETS, "tiny", ["channels=[1,2]", "symlog=false"]).channels == (1, 2)


def test_every_problem_is_told_at_once_in_plain_words() -> None:
    sets = ["hiden=3", "latent_size=big", "learning_rate=-1", "kind=rnn", "nonsense", "latent=3"]
    with pytest.raises(UsageError) as error:
        config.resolve(Config, PRESETS, "tiny", sets)
    text = str(error.value)
    for words in (
        "there is no setting 'hiden'",
        "latent_size must be a whole number, not 'big'",
        "learning_rate must be greater than 0, not -1",
        "kind must be one of 'lstm' or 'gru', not 'rnn'",
        "'nonsense' is not of the form name=value",
        "did you mean latent_size",
    ):
        assert words in text
    assert "\n" not in text
    assert "pydantic" not in text


def test_settings_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(UsageError, match="latent_size must be divisible by the number of channels"):
        config.resolve(Config, PRESETS, "tiny", ["latent_size=5"])


def test_a_missing_preset_or_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="choose one of tiny, base"):
        config.resolve(Config, PRESETS, "huge")
    with pytest.raises(NotFoundError, match=r"own.toml"):
        config.resolve(Config, PRESETS, "tiny", (), tmp_path / "own.toml")
    (tmp_path / "own.json").write_text("[1]")
    with pytest.raises(WmplayError, match="one JSON object"):
        config.resolve(Config, PRESETS, "tiny", (), tmp_path / "own.json")


def test_a_saved_config_comes_back_equal() -> None:
    saved = json.loads(json.dumps(config.to_json(Config(channels=(1, 2)))))
    assert config.from_json(Config, saved) == Config(channels=(1, 2))


def test_a_config_of_another_version_is_refused_in_words() -> None:
    with pytest.raises(WmplayError, match="do not fit this version of wmplay: there is no setting 'depth'"):
        config.from_json(Config, {"depth": 3})
