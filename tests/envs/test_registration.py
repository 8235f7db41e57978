"""`gymnasium.make` finds our games with no import of ours, quietly, however often and in whatever order we register."""

import subprocess
import sys

import gymnasium

import envs
from wmplay import registration


def run(code: str) -> str:
    """Output of a fresh interpreter in which every warning is an error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_gymnasium_alone_is_enough() -> None:
    """Else a user's script, or another library, could not make our games by name."""
    text = run(
        "import gymnasium; env = gymnasium.make('wmplay/GridWorld-v0'); env.reset(seed=0);"
        "print(sorted(k for k in gymnasium.registry if k.startswith('wmplay/')))"
    )
    assert text.strip() == str([f"wmplay/{n}-v0" for n in ("CarRacing", "CartPole", "Dream", "GridWorld")])


def test_python_starts_without_gymnasium_or_torch() -> None:
    """Else every Python started in the same environment would pay for wmplay being installed."""
    modules = "('gymnasium', 'torch', 'numpy', 'pygame')"
    assert run(f"import sys; print([m for m in {modules} if m in sys.modules])").strip() == "[]"


def test_registering_imports_no_game() -> None:
    """Else importing gymnasium would become slow for everybody."""
    code = "import gymnasium, sys; print([m for m in sys.modules if m.startswith('envs.') or m in ('torch', 'Box2D')])"
    assert run(code).strip() == "[]"


def test_registering_again_changes_nothing(recwarn: object) -> None:
    """Else calling it by hand as well would warn or replace what a user has overridden."""
    before = dict(gymnasium.registry)
    envs.register()
    registration.register()
    assert dict(gymnasium.registry) == before
    assert len(recwarn) == 0  # type: ignore[arg-type]


def test_a_broken_checkout_does_not_break_gymnasium(tmp_path: object) -> None:
    """Else somebody's unrelated project with a folder `envs` could no longer import gymnasium."""
    code = (
        "import sys, warnings, pathlib, tempfile; folder = tempfile.mkdtemp();"
        "pathlib.Path(folder, 'envs.py').write_text(''); sys.path.insert(0, folder);"
        "warnings.simplefilter('always'); import gymnasium; print('CartPole-v1' in gymnasium.registry)"
    )
    assert run(code).strip() == "True"
