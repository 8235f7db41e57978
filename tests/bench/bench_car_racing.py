"""CarRacing's speed against CarRacing-v3's, in one run. `python tests/bench/bench_car_racing.py` prints the figures."""

from __future__ import annotations

import json

from envs.car_racing.bench import measure

__all__ = ["measure"]

if __name__ == "__main__":
    print(json.dumps(measure(seconds=20.0), indent=2))
