"""A whole noise map with default settings: seconds, evaluations and the error that the map states of itself.

The sample scan, one slice, by shipped networks and by CG-SENSE; medians over repeats, after one that is not counted.
"""

import time
from collections import deque
from pathlib import Path
from statistics import median

import pandas as pd
import torch
from record import parser_of, record

from mri_noise import Experiment, open_scan, run
from mri_noise.report import map_error

SCAN = Path(__file__).parents[1] / "sample_data" / "brain_phantom.h5"
RECONSTRUCTIONS = {
    "cg-sense": {"kind": "cg-sense"},
    "unet": {"kind": "shipped", "name": "unet"},
    "modl": {"kind": "shipped", "name": "modl"},
}


def measure(name: str, n_repeats: int) -> dict[str, str | float]:
    """One row."""
    experiment = Experiment.parse({"reconstruction": RECONSTRUCTIONS[name]})
    scan, seconds = open_scan(SCAN), []
    for _ in range(n_repeats + 1):
        start = time.perf_counter()
        (result,) = deque(run(scan, experiment), maxlen=1)
        seconds.append(time.perf_counter() - start)
    return {
        "reconstruction": name,
        "map [s]": median(seconds[1:]),
        "evaluations": 0 if result.estimate is None else result.estimate.n_evaluations,
        "error of the map [%]": 100 * map_error(result),
    }


def main() -> None:
    """Print one table, and record it."""
    parser = parser_of(__doc__, "map")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    table = pd.DataFrame([measure(name, arguments.repeats) for name in RECONSTRUCTIONS])
    print(f"sample scan, default settings, {torch.get_num_threads()} threads")
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    record(arguments.json, {"map": table})


if __name__ == "__main__":
    main()
