"""Checksums of what the project computes, to show that a change of its structure changes no number.

Record at one commit and compare at another, on one machine and with one number of threads (sums depend on both):

    python tools/pin_results.py pins.json            # records, or compares where the file exists
    python tools/pin_results.py pins.json modl unet  # a part: these reconstructions, or files, training, evaluation

The grid is every variance method with every shipped network and linear reconstruction, two slices of the sample scan,
three steps of a training, and one evaluation. It takes the public API and the command line alone.
"""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import h5py
import torch

from mri_noise import Experiment, load_results, open_scan, run

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample_data" / "brain_phantom.h5"
RECONSTRUCTIONS: dict[str, dict[str, Any]] = {
    "zero-filled": {"kind": "zero-filled"},
    "cg-sense": {"kind": "cg-sense"},
    **{
        name: {"kind": "shipped", "name": name}
        for name in ("unet", "unrolled", "modl", "varnet", "modl-ssdu", "modl-n2r", "modl-vortex")
    },
}
METHODS: dict[str, dict[str, Any]] = {
    "lattice": {"kind": "lattice", "target": 0.1},
    "lattice-complex": {"kind": "lattice-complex", "target": 0.1, "max_evaluations": 400},
    "sketch": {"kind": "sketch", "n_probes": 16},
    "monte-carlo": {"kind": "monte-carlo", "n_replicas": 16},
    "exact": {"kind": "exact"},
}
LINES = {"kind": "equispaced", "acceleration": 4, "n_calibration": 12}
DISC = {"kind": "poisson-disc", "acceleration": 4}
REGION = {"kind": "ellipse", "name": "middle", "center": (16, 16), "radii": (6, 9)}
UNTIMED = {"seconds", "peak_memory", "started", "versions", "fingerprint"}
"""What differs from run to run, or is of the machine."""


def main(path: Path, parts: Sequence[str]) -> None:
    """Record the checksums, or compare them with recorded ones and exit with 1 where they differ."""
    found = dict(pins(parts))
    if not path.exists():
        path.write_text(json.dumps(found, indent=1), encoding="utf-8")
        print(f"recorded {len(found)} checksums in {path}")
        return
    recorded = json.loads(path.read_text(encoding="utf-8"))
    if parts:
        recorded = {name: each for name, each in recorded.items() if name in found}
    names = sorted(recorded.keys() | found.keys())
    differing = [name for name in names if recorded.get(name) != found.get(name)]
    print(f"{len(names) - len(differing)} of {len(names)} checksums are equal")
    for name in differing:
        print(f"differs: {name}")
    sys.exit(bool(differing))


def pins(parts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Name and checksum of everything in the grid, or in some parts of it."""
    for name, reconstruction in RECONSTRUCTIONS.items():
        for method, variance in METHODS.items() if not parts or name in parts else ():
            experiment = {
                "undersampling": DISC if name == "cg-sense" and method != "exact" else LINES,
                "reconstruction": reconstruction,
                "variance": variance,
                "rois": [REGION],
            }
            with small_scan() if method == "exact" else nullcontext(SAMPLE) as scan:
                yield from run_pins(f"{name} {method}", scan, experiment)
    for part, more in (("files", files_pins), ("training", training_pins), ("evaluation", evaluation_pins)):
        if not parts or part in parts:
            yield from more()


@contextmanager
def small_scan() -> Iterator[Path]:
    """The middle of the sample's k-space, 32 x 32: the exact method takes two products a voxel."""
    with tempfile.TemporaryDirectory() as folder, h5py.File(SAMPLE) as sample:
        path = Path(folder) / "small.h5"
        with h5py.File(path, "w") as small:
            small["kspace"] = sample["kspace"][:2, :, 48:80, 48:80]
            small["noise"] = sample["noise"][:]
            small.attrs.update(sample.attrs)
        yield path


def run_pins(name: str, scan: Path, experiment: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What a run of two slices gives, field by field of each slice's last snapshot."""
    n_snapshots = 0
    for result in run(open_scan(scan), Experiment.parse(experiment), slices=(0, 1)):
        n_snapshots += 1
        if result.complete:
            for field, value in fields_of(result):
                yield f"{name} slice {result.index} {field}", checksum(value)
    yield f"{name} snapshots", str(n_snapshots)
    print(name, file=sys.stderr, flush=True)


def fields_of(value: Any, inside: str = "") -> Iterator[tuple[str, Any]]:
    """Tensors and plain values inside frozen values, by their dotted names."""
    for field in dataclasses.fields(value):
        name, inner = f"{inside}{field.name}", getattr(value, field.name)
        if field.name in UNTIMED or field.name == "experiment":
            continue
        if field.name == "channels":
            yield from channels_of(inner, inside)
            continue
        if isinstance(inner, tuple):
            for i, each in enumerate(inner):
                yield from (
                    fields_of(each, f"{name}.{i}.") if dataclasses.is_dataclass(each) else [(f"{name}.{i}", each)]
                )
        elif dataclasses.is_dataclass(inner):
            yield from fields_of(inner, f"{name}.")
        else:
            yield name, inner


def channels_of(channels: Mapping[str, Sequence[Any]], inside: str) -> Iterator[tuple[str, Any]]:
    """Variances and standard errors, as files name them; None for those that were not computed."""
    for channel in ("magnitude", "complex", "real", "imaginary"):
        suffix = "" if channel == "complex" else f"_{channel}"
        for name, value in zip(("variance", "standard_error"), channels.get(channel, (None, None)), strict=True):
            yield f"{inside}{name}{suffix}", value


def checksum(value: Any) -> str:
    """SHA-256 of a tensor's type, shape and bytes, or of a plain value's text."""
    if isinstance(value, torch.Tensor):
        tensor = value.detach().cpu().contiguous()
        head = f"{tensor.dtype} {tuple(tensor.shape)}".encode()
        return hashlib.sha256(head + tensor.flatten().view(torch.uint8).numpy().tobytes()).hexdigest()
    return hashlib.sha256(repr(value).encode()).hexdigest()


def command(arguments: Sequence[str | Path], folder: Path) -> str:
    """Run the command line; return what it prints."""
    call = [sys.executable, "-c", "from mri_noise.cli.app import main; main()", *map(str, arguments)]
    quiet = os.environ | {"COLUMNS": "200"}
    done = subprocess.run(call, cwd=folder, env=quiet, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


def files_pins() -> Iterator[tuple[str, str]]:
    """A saved result, read again; its NIfTI volumes; and the tables of a comparison."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = ("--slice", "all", "--set", "variance.kind=sketch", "--set", "variance.n_probes=8")
        command(["run", SAMPLE, *settings, "--output", "out.h5"], folder)
        for result in load_results(folder / "out.h5"):
            for field, value in fields_of(result):
                yield f"saved slice {result.index} {field}", checksum(value)
            yield f"saved slice {result.index} experiment", checksum(result.experiment.model_dump_json())
        command(["run", SAMPLE, *settings, "--output", "maps.nii.gz"], folder)
        import nibabel as nib  # noqa: PLC0415 - only here

        for path in sorted(folder.glob("*.nii.gz")):
            yield f"NIfTI {path.name}", checksum(torch.from_numpy(nib.load(path).get_fdata()))
        table = json.loads(command(["compare", SAMPLE, *settings[2:], "--replicas", "16", "--json"], folder))
        yield "comparison", checksum(json.dumps(untimed(table), sort_keys=True))


def untimed(value: Any) -> Any:
    """The value without what differs from run to run, by the names of columns and of rows."""
    if isinstance(value, dict):
        return {name: untimed(each) for name, each in value.items() if not timed(name)}
    if isinstance(value, list):
        rows = (each for each in value if not (isinstance(each, dict) and any(map(timed, each.values()))))
        return [untimed(each) for each in rows]
    return value


def timed(name: Any) -> bool:
    """Whether a name is that of a time or of the memory taken."""
    return isinstance(name, str) and any(word in name for word in ("second", "memory", "time", "[ms]", "[s]"))


def training_pins() -> Iterator[tuple[str, str]]:
    """The weights after three steps of a training."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        smoke = (ROOT / "recipes" / "smoke.txt").read_text(encoding="utf-8").split()
        smoke = [line.replace("[sample_data]", f"[{ROOT / 'sample_data'}]") for line in smoke]
        settings = [word for line in smoke for word in ("--set", line)]
        command(["train", ROOT / "recipes" / "unrolled.yaml", *settings, "--output", "training"], folder)
        from safetensors.torch import load_file  # noqa: PLC0415 - only here

        for path in sorted(folder.rglob("*.safetensors")):
            for tensor_name, tensor in sorted(load_file(path).items()):
                yield f"training {path.name} {tensor_name}", checksum(tensor)


def evaluation_pins() -> Iterator[tuple[str, str]]:
    """The tables of an evaluation."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = ("--models", "modl,unet", "--masks", "equispaced", "--accelerations", "4", "--replicas", "8")
        command(["evaluate", SAMPLE, *options, "--probes", "8", "--output", "tables"], folder)
        import pandas as pd  # noqa: PLC0415 - only here

        for path in sorted(folder.rglob("*.csv")):
            table = pd.read_csv(path)
            kept = [c for c in table if not any(word in str(c).lower() for word in ("[s]", "second", "memory", "mib"))]
            yield f"evaluation {path.name}", checksum(table[kept].to_csv(index=False))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
