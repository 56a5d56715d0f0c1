"""What a user does with a toy distribution, in the environment that it is installed in: one process, many commands.

    python toy_commands.py FOLDER

Prints a line of JSON for each command: its words, its exit status, and what it said.
"""

import json
import sys
from pathlib import Path

from typer.testing import CliRunner

from mri_noise.cli.app import app

ALL = (
    "--set undersampling.kind=toy-stripes --set noise.kind=toy-share --set variance.kind=toy-pairs "
    "--set variance.n_pairs=6 --set reconstruction.kind=toy-network --set seed=3"
)
RECIPE = """
name: toy
network: {kind: toy-network, n_features: 3}
data:
  source: {kind: scans, paths: [scan.toy, other.toy], noise: {kind: toy-share}}
  n_validation_subjects: 1
  n_validation: 1
  draws: {max_size: 16}
trainer: {n_steps: 2, checkpoint_interval: 2, validation_interval: 2, log_interval: 1}
"""
COMMANDS = (
    "info scan.toy",
    f"run scan.toy {ALL} --slice all -o first.h5",
    "run scan.toy -e first.h5 -o again.h5",
    "run scan.toy --set variance.kind=exact --set noise.kind=toy-share -o exact.h5",
    f"compare scan.toy {ALL} --replicas 4 --json",
    "evaluate scan.toy --models toy-network --masks toy-stripes --accelerations 2 --replicas 4 --probes 4 --no-tune "
    "--set noise.kind=toy-share -o tables",
    "train toy.yaml -o trained",
    "run scan.toy --set reconstruction.kind=checkpoint --set reconstruction.path=trained/toy.safetensors "
    "--set variance.kind=sketch --set variance.n_probes=4 --set noise.kind=toy-share -o trained.h5",
    "run scan.toy --set undersampling.kind=toy-stripe -o wrong.h5",
)


def main(folder: Path) -> None:
    """Run the commands in a folder."""
    import os  # noqa: PLC0415

    os.chdir(folder)
    Path("toy.yaml").write_text(RECIPE, encoding="utf-8")
    for words in COMMANDS:
        done = CliRunner().invoke(app, words.split(), env={"COLUMNS": "200"})
        raised = "" if done.exception is None or isinstance(done.exception, SystemExit) else repr(done.exception)
        print(json.dumps([words, done.exit_code, done.output, raised]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
