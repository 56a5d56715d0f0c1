"""The command as a user meets it: what it prints, what it writes, and one sentence for every mistake."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from typer.testing import CliRunner, Result

from mri_noise import pipeline
from mri_noise.cli.app import app
from mri_noise.io.results import load_results, save_results
from mri_noise.recon.networks.unet import UNetSettings
from mri_noise.recon.weights.checkpoint import save_network
from mri_noise.signals import ASKING
from tests.io.bart_files import write_bart
from tests.io.random_results import random_result
from tests.io.reference_scans import two_measurements
from tests.scan_files import kspace, write

RUNNER = CliRunner()
FAST = ["-s", "variance.kind=sketch", "-s", "variance.n_probes=4", "-s", "coils.kind=low-resolution",
        "-s", "undersampling.kind=equispaced", "-s", "undersampling.acceleration=2",
        "-s", "undersampling.n_calibration=12"]  # fmt: skip


def _mri_noise(*arguments: str | Path) -> Result:
    return RUNNER.invoke(app, [str(argument) for argument in arguments])


def _text(result: Result) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", result.stderr)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    return write(tmp_path / "scan.h5", kspace())


def test_info(scan: Path) -> None:
    result = _mri_noise("info", scan)
    assert result.exit_code == 0
    assert "fastMRI HDF5" in result.stdout
    assert "32 x 28" in result.stdout
    facts = {row["fact"]: row["value"] for row in json.loads(_mri_noise("info", scan, "--json").stdout)}
    assert facts["coils"] == "3"
    assert facts["slices"] == "2"


def test_run_saves_what_it_prints_and_repeats_bit_for_bit(scan: Path, tmp_path: Path) -> None:
    out, again = tmp_path / "out.h5", tmp_path / "again.h5"
    result = _mri_noise("run", scan, *FAST, "-o", out, "--slice", "all", "--json", "--figure", tmp_path / "maps.png")
    assert result.exit_code == 0, _text(result)
    rows = json.loads(result.stdout)
    assert [row["slice"] for row in rows] == ["slice 0", "slice 1"]
    assert [row["evaluations"] for row in rows] == [4 + 12, 4 + 12]  # with four pairs
    assert (tmp_path / "maps_0.png").stat().st_size > 10_000
    assert (tmp_path / "maps_1.png").exists()
    assert _mri_noise("run", scan, "--experiment", out, "-o", again).exit_code == 0
    for first, second in zip(load_results(out), load_results(again), strict=True):
        assert first.estimate is not None
        assert second.estimate is not None
        assert torch.equal(first.image, second.image)
        variances = [each.estimate.channels["complex"].variance for each in (first, second)]
        assert torch.equal(*variances)
        assert torch.equal(first.estimate.standard_error_magnitude, second.estimate.standard_error_magnitude)


def test_a_measurement_is_chosen_said_and_repeated(tmp_path: Path) -> None:
    path = two_measurements(tmp_path / "scan.h5")
    facts = {row["fact"]: row["value"] for row in json.loads(_mri_noise("info", path, "--json").stdout)}
    assert facts["measurement"] == "dataset_2 (of dataset_1, dataset_2)"
    assert facts["the file holds"] == "dataset_1: 16 x 16, 2 slices; dataset_2: 32 x 36, 2 slices"
    named = {
        row["fact"]: row["value"]
        for row in json.loads(_mri_noise("info", path, "--measurement", "dataset_1", "--json").stdout)
    }
    assert named["rows x columns"] == "16 x 16"
    out, again = tmp_path / "out.h5", tmp_path / "again.h5"
    settings = ["-s", "variance.kind=sketch", "-s", "variance.n_probes=4", "-s", "coils.kind=low-resolution"]
    for chosen, shape in ((["--measurement", "dataset_1"], (16, 16)), ([], (32, 36))):
        result = _mri_noise("run", path, *chosen, *settings, "-o", out, "--json")
        assert result.exit_code == 0, _text(result)
        (row,) = json.loads(result.stdout)
        assert row["measurement"] == ("dataset_1" if chosen else "dataset_2")
        assert _mri_noise("run", path, "-e", out, "-o", again).exit_code == 0
        first, second = load_results(out)[0], load_results(again)[0]
        assert first.image.shape == shape
        assert torch.equal(first.image, second.image)
    changed = _mri_noise("run", path, "-e", out, "--measurement", "dataset_1", "-o", again)
    assert changed.exit_code == 0, _text(changed)
    assert load_results(again)[0].provenance.measurement == "dataset_1"


def test_a_measurement_that_is_not_there_is_one_sentence(scan: Path, tmp_path: Path) -> None:
    path = two_measurements(tmp_path / "several.h5")
    for command in (["info", path], ["run", path, "-o", tmp_path / "out.h5"], ["compare", path]):
        result = _mri_noise(*command, "--measurement", "x")
        assert result.exit_code == 1
        assert "no measurement 'x'; choose one of dataset_1, dataset_2" in " ".join(_text(result).split())
    out = tmp_path / "saved.h5"
    saved = random_result()
    save_results([replace(saved, provenance=replace(saved.provenance, measurement="dataset_2"))], out)
    result = _mri_noise("run", scan, "-e", out, "-o", tmp_path / "again.h5")
    assert result.exit_code == 1
    assert "no measurement 'dataset_2'" in " ".join(_text(result).split())


def test_the_printed_experiment_runs(scan: Path, tmp_path: Path) -> None:
    printed = _mri_noise("run", "--print-experiment", *FAST)
    assert printed.exit_code == 0
    assert yaml.safe_load(printed.stdout)["variance"] == {"kind": "sketch", "n_probes": 4, "batch": None}
    (tmp_path / "experiment.yaml").write_text(printed.stdout)
    result = _mri_noise("run", scan, "-e", tmp_path / "experiment.yaml", "-o", tmp_path / "out.h5")
    assert result.exit_code == 0, _text(result)
    assert "median SNR" in result.stdout


def test_run_reads_out_regions(scan: Path, tmp_path: Path) -> None:
    region = "rois=[{kind: rectangle, name: middle, corners: [[12, 10], [18, 16]]}]"
    result = _mri_noise("run", scan, *FAST, "-s", region, "-o", tmp_path / "out.h5", "--json")
    assert result.exit_code == 0, _text(result)
    _, rois = json.loads(result.stdout)
    assert rois[0]["region"] == "middle"
    assert rois[0]["voxels"] == 49
    assert rois[0]["std of mean magnitude"] > 0


def test_run_writes_nifti(scan: Path, tmp_path: Path) -> None:
    result = _mri_noise("run", scan, *FAST, "-o", tmp_path / "out.nii.gz")
    assert result.exit_code == 0, _text(result)
    assert {"out_image.nii.gz", "out_std.nii.gz", "out_gfactor.nii.gz"} <= {p.name for p in tmp_path.iterdir()}


def test_compare_prints_and_writes_its_tables(scan: Path, tmp_path: Path) -> None:
    result = _mri_noise("compare", scan, *FAST, "-s", "variance.n_probes=30", "--replicas", "30", "-o", tmp_path / "c")
    assert result.exit_code == 0, _text(result)
    assert "Pearson correlation" in result.stdout
    table = pd.read_csv(tmp_path / "c" / "agreement_0.csv", index_col=0)
    expected = table.loc["  expected from both standard errors [%]", "magnitude std"]
    assert 0.7 < table.loc["NRMSE by rms, object [%]", "magnitude std"] / expected < 1.4
    cost = pd.read_csv(tmp_path / "c" / "cost_0.csv", index_col=0)
    assert list(cost.loc["evaluations"]) == [30 + 12, 30]  # with four pairs, and of replicas alone
    assert (tmp_path / "c" / "comparison_0.png").stat().st_size > 10_000


def _truncated(folder: Path) -> Path:
    whole = write(folder / "whole.h5", kspace())
    cut = folder / "bad.h5"
    cut.write_bytes(whole.read_bytes()[:3000])
    return cut


def _empty(folder: Path) -> Path:
    (folder / "bad.h5").touch()
    return folder / "bad.h5"


def _foreign(folder: Path) -> Path:
    (folder / "bad.h5").write_text("this is no scan\n" * 100)
    return folder / "bad.h5"


def _without_kspace(folder: Path) -> Path:
    with h5py.File(folder / "bad.h5", "w") as file:
        file["image"] = np.zeros((4, 4))
    return folder / "bad.h5"


def _with_nan(folder: Path) -> Path:
    data = kspace()
    data[0, 1, 3, 4] = np.nan
    return write(folder / "bad.h5", data)


def _linked(folder: Path) -> Path:
    write(folder / "other.h5", kspace())
    with h5py.File(folder / "bad.h5", "w") as file:
        file["kspace"] = h5py.ExternalLink("other.h5", "/kspace")
    return folder / "bad.h5"


def _external(folder: Path) -> Path:
    with h5py.File(folder / "bad.h5", "w") as file:
        file.create_dataset("kspace", (1, 2, 8, 8), np.complex64, external=[(str(folder / "raw.bin"), 0, 1024)])
    return folder / "bad.h5"


BAD_SCANS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "truncated": (_truncated, "truncated"),
    "empty": (_empty, "empty"),
    "foreign": (_foreign, "fastMRI"),
    "absent": (lambda folder: folder / "bad.h5", "bad.h5"),
    "no k-space": (_without_kspace, "kspace"),
    "wrong dimensions": (lambda folder: write(folder / "bad.h5", np.ones((4, 4), np.complex64)), "got shape (4, 4)"),
    "real numbers": (lambda folder: write(folder / "bad.h5", np.ones((1, 2, 8, 8))), "complex"),
    "NaN": (_with_nan, "NaN"),
    "all zero": (lambda folder: write(folder / "bad.h5", np.zeros((1, 2, 8, 8), np.complex64)), "zero"),
    "mask of another shape": (lambda folder: write(folder / "bad.h5", kspace(), mask=np.ones(27)), "mask"),
    "maps of another shape": (
        lambda folder: write(folder / "bad.h5", kspace(), sensitivity_maps=np.ones((2, 3, 8, 8), np.complex64)),
        "maps",
    ),
    "covariance not Hermitian": (
        lambda folder: write(folder / "bad.h5", kspace(), noise_covariance=np.triu(np.ones((3, 3), np.complex64))),
        "Hermitian",
    ),
    "covariance not positive": (
        lambda folder: write(folder / "bad.h5", kspace(), noise_covariance=np.ones((3, 3), np.complex64)), "positive",
    ),
    "external link": (_linked, "external link"),
    "external storage": (_external, "external storage"),
}  # fmt: skip


def _require_one_sentence(result: Result, word: str, folder: Path, before: set[Path]) -> None:
    sentence = _text(result)
    assert result.exit_code == 1, sentence
    assert sentence.startswith("mri-noise: ")
    assert sentence.count("\n") == 1
    assert word in sentence
    assert "Traceback" not in sentence
    assert result.stdout == ""
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize("case", BAD_SCANS)
def test_a_bad_scan_is_one_sentence_and_leaves_nothing(tmp_path: Path, case: str) -> None:
    make, word = BAD_SCANS[case]
    path = make(tmp_path)
    before = set(tmp_path.iterdir())
    _require_one_sentence(_mri_noise("run", path, *FAST, "-o", tmp_path / "out.h5"), word, tmp_path, before)


BAD_SETTINGS = {
    "variance.n_probe=3": "did you mean 'n_probes'",
    "undersampling.n_calibration=40": "calibration",
    "undersampling.acceleration=0.5": "greater than or equal to 1",
    "coils.kind=file": "coil maps",
    "noise.kind=prescan": "prescan",
    "noise.kind=file": "path",
    "reconstruction.kind=modle": "did you mean 'modl'",
    "device=cuda": "CUDA",
    "reconstruction={kind: checkpoint, path: nowhere.safetensors}": "nowhere.safetensors",
    "rois=[{kind: rectangle, corners: [[90, 90], [99, 99]]}]": "region",
    "n_probes": "assignment",
}


@pytest.mark.parametrize("assignment", BAD_SETTINGS)
def test_a_bad_setting_is_one_sentence_and_leaves_nothing(scan: Path, tmp_path: Path, assignment: str) -> None:
    before = set(tmp_path.iterdir())
    result = _mri_noise("run", scan, *FAST, "-s", assignment, "-o", tmp_path / "out.h5")
    _require_one_sentence(result, BAD_SETTINGS[assignment], tmp_path, before)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--slice", "7", "-o", "out.h5"], "slices 0 to 1"),
        (["--slice", "first", "-o", "out.h5"], "'all'"),
        (["-o", "no/such/folder/out.h5"], "no folder"),
        ([], "--output"),
    ],
)
def test_a_bad_argument_is_one_sentence(
    scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], word: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    _require_one_sentence(_mri_noise("run", scan, *FAST, *arguments), word, tmp_path, before)


def test_the_scan_is_not_overwritten(scan: Path, tmp_path: Path) -> None:
    before = scan.read_bytes()
    _require_one_sentence(_mri_noise("run", scan, *FAST, "-o", scan), "scan itself", tmp_path, {scan})
    assert scan.read_bytes() == before


def _experiment_in(folder: Path) -> Path:
    (folder / "in.yaml").write_text(_mri_noise("run", "--print-experiment", *FAST).stdout)
    return folder / "in.yaml"


def _noise_in(folder: Path) -> Path:
    np.save(folder / "in.npy", np.eye(3))
    return folder / "in.npy"


def _weights_in(folder: Path) -> Path:
    save_network(UNetSettings(n_channels=2, n_pools=1)(), folder / "in_std.nii.gz", {})
    return folder / "in_std.nii.gz"


NAMED = {
    "experiment": (_experiment_in, ["-e", "{}"]),
    "noise": (_noise_in, ["-s", "noise={{kind: file, path: '{}'}}"]),
    "weights": (_weights_in, ["-s", "reconstruction={{kind: checkpoint, path: '{}'}}"]),
}


@pytest.mark.parametrize("command", ["result", "volumes", "figure", "figures", "table"])
@pytest.mark.parametrize("kind", ["scan", *NAMED])
def test_nothing_that_is_read_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, command: str
) -> None:
    """Each kind of file that is read under each name that is written, linked where it cannot have it."""
    scan = write(tmp_path / "scan.h5", kspace())
    make, options = NAMED.get(kind, (lambda folder: scan, []))
    read, outside = make(tmp_path), tmp_path / "out"
    outside.mkdir()
    arguments = {
        "result": (["run", scan, "-o", outside / "out.h5"], "out.h5"),
        "volumes": (["run", scan, "-o", outside / "x.nii.gz"], "x_std.nii.gz"),
        "figure": (["run", scan, "-o", tmp_path / "new.h5", "--figure", outside / "a.png"], "a.png"),
        "figures": (
            ["run", scan, "-o", tmp_path / "new.h5", "--slice", "all", "--figure", outside / "a.png"], "a_1.png"
        ),
        "table": (["compare", scan, "-o", outside, "--slice", "1"], "cost_1.csv"),
    }[command]  # fmt: skip
    (outside / arguments[1]).symlink_to(read)
    monkeypatch.setattr(pipeline, "run", lambda *_, **__: pytest.fail("computed"))
    content, before = read.read_bytes(), set(tmp_path.iterdir())
    result = _mri_noise(*arguments[0], *FAST, *(option.format(read) for option in options))
    _require_one_sentence(result, "would be overwritten; give another --", tmp_path, before)
    assert {path.name for path in outside.iterdir()} == {arguments[1]}
    assert read.read_bytes() == content


def test_a_figure_and_a_result_do_not_overwrite_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = write(tmp_path / "scan.h5", kspace())
    monkeypatch.setattr(pipeline, "run", lambda *_, **__: pytest.fail("computed"))
    before = set(tmp_path.iterdir())
    for output, figure in (("out.h5", "./out.h5"), ("x.nii.gz", "x_std.nii.gz")):
        result = _mri_noise("run", scan, "-o", tmp_path / output, "--figure", f"{tmp_path}/{figure}", *FAST)
        _require_one_sentence(result, "one would overwrite the other; give another --figure", tmp_path, before)


@pytest.mark.parametrize("name", ["pair", "pair.cfl", "pair.hdr"])
@pytest.mark.parametrize("output", ["pair.cfl", "pair.hdr"])
def test_neither_file_of_a_bart_pair_is_overwritten(tmp_path: Path, name: str, output: str) -> None:
    write_bart(tmp_path / "pair", np.moveaxis(kspace(1)[0], 0, -1)[:, :, None])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    result = _mri_noise("run", tmp_path / name, *FAST, "-o", tmp_path / output)
    _require_one_sentence(result, "is the scan itself and would be overwritten", tmp_path, set(before))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_bart_stem_runs_again_onto_its_result(tmp_path: Path) -> None:
    write_bart(tmp_path / "pair", np.moveaxis(kspace(1)[0], 0, -1)[:, :, None])
    for _ in range(2):
        result = _mri_noise("run", tmp_path / "pair", *FAST, "-o", tmp_path / "out.h5")
        assert result.exit_code == 0, _text(result)


def test_a_result_is_not_repeated_onto_itself(scan: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    save_results([random_result()], out)
    result = _mri_noise("run", scan, "-e", out, "-o", out)
    _require_one_sentence(result, "is the experiment itself and would be overwritten", tmp_path, {scan, out})


def test_a_failed_run_leaves_the_former_result(scan: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.h5"
    assert _mri_noise("run", scan, *FAST, "-o", out).exit_code == 0
    former = out.read_bytes()
    bad = _with_nan(tmp_path)
    assert _mri_noise("run", bad, *FAST, "-o", out).exit_code == 1
    assert out.read_bytes() == former


class _Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_weights_that_carry_code_are_refused_and_do_not_run(scan: Path, tmp_path: Path, zipped: bool) -> None:
    weights, proof = tmp_path / "weights.pt", tmp_path / "ran"
    torch.save({"state_dict": _Malicious(proof)}, weights, _use_new_zipfile_serialization=zipped)
    before = set(tmp_path.iterdir())
    choice = f"reconstruction={{kind: checkpoint, path: {weights}}}"
    result = _mri_noise("run", scan, *FAST, "-s", choice, "-o", tmp_path / "out.h5")
    _require_one_sentence(result, "weights.pt", tmp_path, before)
    assert not proof.exists()


def test_weights_of_an_unknown_layout_say_what_was_found(scan: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.pt"
    torch.save({"encoder.stem.weight": torch.ones(3, 3)}, weights)
    before = set(tmp_path.iterdir())
    choice = f"reconstruction={{kind: checkpoint, path: {weights}}}"
    result = _mri_noise("run", scan, *FAST, "-s", choice, "-o", tmp_path / "out.h5")
    _require_one_sentence(result, "encoder.stem.weight", tmp_path, before)
    assert "fastMRI" in _text(result)


def test_compare_needs_something_else_than_monte_carlo(scan: Path) -> None:
    result = _mri_noise("compare", scan, "-s", "variance.kind=monte-carlo")
    assert result.exit_code == 1
    assert "against Monte Carlo" in _text(result)


@pytest.mark.parametrize("kill", ASKING)
def test_an_interrupted_run_leaves_nothing(scan: Path, tmp_path: Path, kill: signal.Signals) -> None:
    command = [sys.executable, "-c", "from mri_noise.cli.app import main; main()", "run", str(scan), *FAST]
    endless = ["-s", "variance.kind=sketch", "-s", "variance.n_probes=1000000", "-o", str(tmp_path / "out.h5")]
    with subprocess.Popen([*command, *endless], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while len(list(tmp_path.iterdir())) == 1 and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(kill)
        try:
            printed, said = process.communicate()
        finally:
            process.kill()
    assert process.returncode == 128 + kill
    assert said == "mri-noise: interrupted; the result was not written\n"
    assert printed == ""
    assert list(tmp_path.iterdir()) == [scan]


def test_a_closed_terminal_cleans_up(scan: Path, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="terminals are of POSIX")
    endless = ["-s", "variance.kind=sketch", "-s", "variance.n_probes=1000000", "-o", str(tmp_path / "out.h5")]
    process, terminal = pty.fork()
    if process == 0:
        command = [
            sys.executable,
            "-c",
            "from mri_noise.cli.app import main; main()",
            "run",
            str(scan),
            *FAST,
            *endless,
        ]
        os.execv(sys.executable, command)
    while len(list(tmp_path.iterdir())) == 1 and os.waitpid(process, os.WNOHANG) == (0, 0):
        time.sleep(0.05)
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGHUP
    assert list(tmp_path.iterdir()) == [scan]
