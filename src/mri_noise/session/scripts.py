"""A run as text that repeats it: a command, a Python program."""

import json
import pprint
import shlex
from pathlib import Path
from typing import Any

from mri_noise.experiment import Experiment
from mri_noise.session.differences import overrides

OUTPUT = "result.h5"


def as_command(path: Path, index: int, experiment: Experiment, output: str = OUTPUT, *, measurement: str = "") -> str:
    """The command that repeats a run; ``measurement`` is the one of several in the file."""
    parts = ["mri-noise", "run", str(path), "--output", output, "--slice", str(index)]
    parts += ["--measurement", measurement] if measurement else []
    for name, value in overrides(experiment).items():
        parts += ["--set", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join(parts)


def as_python(path: Path, index: int, experiment: Experiment, output: str = OUTPUT, *, measurement: str = "") -> str:
    """The Python program that repeats a run; ``measurement`` is the one of several in the file."""
    opened = ", ".join(repr(word) for word in (str(path), measurement) if word)
    return f"""from mri_noise import Experiment, open_scan, run, save_results

experiment = Experiment.parse(
{_indented(_literal(experiment))}
)
*_, result = run(open_scan({opened}), experiment, slices=[{index}])
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
