"""A run as text that repeats it: a command, a Python program."""

import json
import pprint
import shlex
from pathlib import Path
from typing import Any

from mri_noise.experiment import Experiment
from mri_noise.session.differences import overrides

OUTPUT = "result.h5"


def as_command(path: Path, index: int, experiment: Experiment, output: str = OUTPUT) -> str:
    """The command that repeats a run."""
    parts = ["mri-noise", "run", str(path), "--output", output, "--slice", str(index)]
    for name, value in overrides(experiment).items():
        parts += ["--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join(parts)


def as_python(path: Path, index: int, experiment: Experiment, output: str = OUTPUT) -> str:
    """The Python program that repeats a run."""
    return f"""from mri_noise import Experiment, open_scan, run, save_results

experiment = Experiment.parse(
{_indented(_literal(experiment))}
)
*_, result = run(open_scan({str(path)!r}), experiment, slices=[{index}])
save_results([result], {output!r})
"""


def _literal(experiment: Experiment) -> str:
    """What differs from the default experiment, as nested Python dictionaries."""
    complete = experiment.model_dump(mode="json")
    nested: dict[str, Any] = {}
    for name, value in overrides(experiment).items():
        choice, _, last = name.partition(".")
        if last:
            tag = {"kind": complete[choice]["kind"]} if "kind" in complete[choice] else {}
            nested.setdefault(choice, tag)[last] = value
        else:
            nested[choice] = value
    return pprint.pformat(nested, width=100, sort_dicts=False)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
