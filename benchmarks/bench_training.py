"""How fast each recipe trains here, and what share of its time it waits for data.

Each recipe runs for a few hundred steps, whose examples have all been drawn once: in a training of hours, simulating
acquisitions and making Poisson discs are things of its beginning. The first quarter, in which worker processes start,
is left out.
"""

import tempfile
from pathlib import Path

import pandas as pd
import torch
from record import parser_of, record

from mri_noise.training.loop.fit import train
from mri_noise.training.recipe import read_recipe

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml"))


def measure(path: Path, n_steps: int) -> dict[str, str | float]:
    """One row: examples per second, and the share of waiting."""
    log_interval = n_steps // 4
    assignments = [
        f"trainer.n_steps={n_steps}",
        f"trainer.log_interval={log_interval}",
        f"trainer.validation_interval={n_steps}",
        f"trainer.checkpoint_interval={n_steps}",
        "data.n_validation=1",
    ]
    recipe = read_recipe(path, assignments)
    examples = recipe.data.open(recipe.seed).training
    for step in range(n_steps * recipe.trainer.batch_size):
        examples[step]
    with tempfile.TemporaryDirectory() as folder:
        train(recipe, Path(folder))
        (log,) = Path(folder).glob("logs/*/metrics.csv")
        rows = pd.read_csv(log).dropna(subset=["examples_per_second"]).iloc[1:]
    return {
        "recipe": recipe.name,
        "examples per second": rows["examples_per_second"].mean(),
        "waiting for data [%]": 100 * rows["share_waiting_for_data"].mean(),
    }


def main() -> None:
    """Print one table."""
    parser = parser_of(__doc__, "training")
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()
    n_steps = arguments.steps
    table = pd.DataFrame([measure(path, n_steps) for path in RECIPES])
    print(f"{torch.get_num_threads()} threads and {n_steps} steps of each recipe, whose machine.n_workers prepare data")
    print(table.to_string(index=False, float_format=lambda value: f"{value:.1f}"))
    record(arguments.json, {"training": table})


if __name__ == "__main__":
    main()
