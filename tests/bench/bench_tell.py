"""How surely CarRacing's dreams are told from the game, and by what: `python tests/bench/bench_tell.py [SLOT]`.

The judges of `wmplay eval --full`, on the starts of a plain report card: of whole dreams, and of dreams that show the
game's own screen (its car and its instruments), so that only the world can give them away.
"""

import sys

import numpy as np

from wmplay.evaluate.subject import prepare
from wmplay.evaluate.tell import clips, judge
from wmplay.worlds.canvas import Canvas

COUNT = 64


def main(slot: str) -> None:
    """Print a line for each."""
    subject = prepare(slot, COUNT, full=False, device="cpu")
    assert isinstance(subject.world, Canvas), "only a canvas knows what its screen is"
    pairs = [found for starts in subject.regimes.values() if (found := clips(subject, starts, seed=0)) is not None]
    real, dreamed = (np.concatenate(side) for side in zip(*pairs, strict=True))
    fixed = subject.world.vision.fixed().detach().numpy()[0].transpose(1, 2, 0)
    framed = (real * fixed + dreamed * (1.0 - fixed)).round().astype(np.uint8)
    for label, shown in (("whole dreams", dreamed), ("with the game's screen", framed)):
        found = judge(real, shown)
        mean, low, high = found["accuracy"]
        print(
            f"{label}: {found['judges']} judges are right on {mean:.0%} [{low:.0%}, {high:.0%}] of {found['n']} clips, "
            f"on {found['trained_accuracy'][0]:.0%} of those they learned from",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "car_racing")
