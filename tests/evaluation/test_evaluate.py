"""The command on tiny phantoms: its tables, and what it says of what goes wrong."""

import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner, Result

from mri_noise.cli.app import app
from mri_noise.evaluation.bench import set_up
from mri_noise.evaluation.cases import Case
from mri_noise.evaluation.methods import Fixed, TunedSense
from mri_noise.evaluation.rows import evaluate
from mri_noise.evaluation.tables import markdown
from mri_noise.experiment import Experiment
from mri_noise.phantom.simulation import Phantom
from mri_noise.pipeline import StageCache
from mri_noise.recon.linear import CGSense, ZeroFilled
from mri_noise.recon.networks.unrolled import UnrolledSettings
from mri_noise.recon.weights.checkpoint import Checkpoint, save_network

SCAN = Phantom(matrix=(48, 40), n_slices=1, n_coils=4, noise_level=0.05)()
CASE = Case(SCAN, 0, "equispaced", 3.0)


def _evaluate(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["evaluate", *(str(argument) for argument in arguments)])


def _text(result: Result) -> str:
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", result.stderr).split())


def _write(path: Path, mask: np.ndarray | None = None) -> Path:
    with h5py.File(path, "w") as file:
        kspace = SCAN[0].kspace.numpy()[None]
        file["kspace"] = kspace if mask is None else kspace * mask
    return path


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    return _write(tmp_path / "scan.h5")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_network(UnrolledSettings(n_steps=1, n_blocks=1, n_features=2)(), path, {})
    return path


def test_tables_hold_quality_noise_and_cost_of_every_method(scan: Path, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = _evaluate(scan, "--models", weights, "--masks", "equispaced", "--accelerations", "3", "--replicas", "30",
                       "--probes", "30", "-o", out)  # fmt: skip
    assert result.exit_code == 0, _text(result)
    table = pd.read_csv(out / "evaluation.csv", index_col="method")
    bart = ["BART l1-wavelet"] if shutil.which("bart") else []
    assert list(table.index) == ["zero-filled", "CG-SENSE", *bart, "tiny"]
    assert table.loc["CG-SENSE", "PSNR [dB]"] > table.loc["zero-filled", "PSNR [dB]"]
    classical = table.loc[["zero-filled", "CG-SENSE", *bart]]
    assert classical["gain over best classical [dB]"].max() == 0
    expected = table.loc["tiny", "PSNR [dB]"] - classical["PSNR [dB]"].max()
    assert table.loc["tiny", "gain over best classical [dB]"] == pytest.approx(expected)
    linear = table.loc["CG-SENSE"]
    assert 0.7 < linear["std NRMSE by rms [%]"] / linear["std NRMSE expected [%]"] < 1.4
    assert linear["sketch evaluations"] - 12 == linear["Monte Carlo evaluations"] == 30  # with four pairs
    assert table["problem"].isna().all()
    summary = pd.read_csv(out / "summary.csv", index_col="method")
    assert summary.loc["tiny", "least gain [dB]"] == pytest.approx(expected)
    assert "| tiny | 1 | 0 |" in (out / "summary.md").read_text()
    assert (out / "images_0.png").stat().st_size > 10_000


def test_without_replicas_there_are_no_noise_maps(scan: Path, tmp_path: Path) -> None:
    result = _evaluate(scan, "--masks", "as-acquired", "--replicas", "0", "--no-tune", "-o", tmp_path / "out")
    assert result.exit_code == 0, _text(result)
    table = pd.read_csv(tmp_path / "out" / "evaluation.csv", index_col="method")
    assert not [name for name in table.columns if "std" in name or "Monte Carlo" in name]
    assert table.loc["zero-filled", "PSNR [dB]"] > 100
    assert table.loc["CG-SENSE", "weight"] == 0.01


def test_the_weight_of_sense_is_the_best_one() -> None:
    bench = set_up(CASE, Experiment(), StageCache())
    attempt = TunedSense()(bench)
    assert attempt.weight is not None

    def psnr(weight: float) -> float:
        quality = bench.quality(bench.image(CGSense(tikhonov=weight)))
        assert quality is not None
        return quality.psnr

    others = [psnr(attempt.weight * factor) for factor in (0.01, 0.1, 0.5, 2, 10, 100)]
    assert psnr(attempt.weight) > max(others)
    assert torch.equal(attempt.image, bench.image(CGSense(tikhonov=attempt.weight)))


def test_images_are_scored_inside_the_object_only() -> None:
    bench = set_up(CASE, Experiment(), StageCache())
    assert bench.reference is not None
    assert not bench.region.all()
    elsewhere = torch.where(bench.region, bench.reference, 7 * bench.reference.abs().max())
    best = bench.quality(elsewhere)
    assert best is not None
    assert best.nrmse == 0
    assert best.ssim == pytest.approx(1)
    worse = bench.quality(1.1 * bench.reference)
    assert worse is not None
    assert worse.nrmse == pytest.approx(0.1)


def test_a_method_that_fails_is_a_row_with_its_sentence(tmp_path: Path) -> None:
    absent = Fixed("absent", Checkpoint(path=tmp_path / "no.safetensors"))
    failed, fine = evaluate([CASE], [absent, Fixed("fine", ZeroFilled())], Experiment(), None)
    assert failed.problem.startswith("cannot load weights from")
    assert failed.quality is None
    assert fine.problem == ""
    assert fine.quality is not None


def test_a_case_that_fails_leaves_the_others(scan: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = _evaluate(scan, "--masks", "random-lines", "--accelerations", "3,30", "--replicas", "0", "-o", out)
    assert result.exit_code == 0
    assert "scan.h5, slice 0, random-lines, R = 30, zero-filled and others: acceleration 30 leaves 1.33" in _text(
        result
    )
    table = pd.read_csv(out / "evaluation.csv")
    assert (table["problem"].notna() == (table["acceleration"] == 30)).all()
    assert (pd.read_csv(out / "summary.csv")["cases"] == 1).all()


def test_an_undersampled_scan_has_noise_maps_only(tmp_path: Path) -> None:
    mask = np.zeros(40, dtype=bool)
    mask[::2] = mask[14:26] = True
    scan, out = _write(tmp_path / "half.h5", mask), tmp_path / "out"
    refused = _evaluate(scan, "--replicas", "0", "-o", out)
    assert refused.exit_code == 1
    assert "'half.h5' is undersampled as acquired, so that there is no image to compare with" in _text(refused)
    result = _evaluate(scan, "--masks", "as-acquired", "--replicas", "4", "--probes", "4", "-o", out)
    assert result.exit_code == 0, _text(result)
    table = pd.read_csv(out / "evaluation.csv", index_col="method")
    assert table["PSNR [dB]"].isna().all()
    assert table.loc["CG-SENSE", "sketch evaluations"] == 4 + 12
    assert not (out / "images_0.png").exists()


def test_without_bart_its_rows_are_left_out(scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    result = _evaluate(scan, "--masks", "as-acquired", "--replicas", "0", "--no-tune", "-o", tmp_path / "out")
    assert "BART is not installed" in _text(result)
    table = pd.read_csv(tmp_path / "out" / "evaluation.csv")
    assert list(table["method"]) == ["zero-filled", "CG-SENSE"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--masks", "spiral"],
            "--masks should be some of as-acquired, equispaced, random-lines, poisson-disc, random-2d",
        ),
        (["--masks", ","], "separated by commas, got none"),
        (["--accelerations", "4,fast"], "--accelerations should be numbers from 1, separated by commas, got '4,fast'"),
        (["--accelerations", "0.5"], "numbers from 1"),
        (
            ["--models", "nothing"],
            "there is neither a shipped model nor a file of weights 'nothing'; give a path",
        ),
        (["--replicas", "1"], "setting 'n_replicas': input should be greater than or equal to 2, got 1"),
        (["--set", "variance.n_probes=3"], "does not take '--set variance.n_probes=3'; use --probes and --replicas"),
        (["--set", "coils.kind=sprit"], "did you mean 'espirit'?"),
    ],
)
def test_a_mistake_is_one_sentence(scan: Path, tmp_path: Path, arguments: list[str], sentence: str) -> None:
    result = _evaluate(scan, *arguments, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert sentence in _text(result)
    assert not (tmp_path / "out").exists()


def test_scans_and_models_have_names_of_their_own(scan: Path, weights: Path, tmp_path: Path) -> None:
    assert "two scans have the name 'scan.h5'" in _text(_evaluate(scan, scan, "-o", tmp_path / "out"))
    twice = _evaluate(scan, "--models", f"{weights},{weights}", "-o", tmp_path / "out")
    assert "two methods have the name 'tiny'" in _text(twice)


def test_an_interruption_keeps_the_rows_until_then(scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TunedSense, "__call__", interrupt)
    result = _evaluate(scan, "--masks", "as-acquired", "--replicas", "0", "-o", tmp_path / "out")
    assert result.exit_code == 130
    assert "interrupted; the rows until then are in" in _text(result)
    assert list(pd.read_csv(tmp_path / "out" / "evaluation.csv")["method"]) == ["zero-filled"]


def test_markdown_of_a_table() -> None:
    table = pd.DataFrame({"name": ["a|b"], "value": [1 / 3], "none": [float("nan")], "count": [4]})
    assert markdown(table) == "| name | value | none | count |\n| --- | --- | --- | --- |\n| a\\|b | 0.3333 |  | 4 |\n"


@pytest.mark.parametrize("name", ["evaluation.csv", "summary.md", "images_0.png"])
@pytest.mark.parametrize("read", ["scan", "weights"])
def test_nothing_that_is_evaluated_is_overwritten(
    scan: Path, weights: Path, tmp_path: Path, read: str, name: str
) -> None:
    inputs = {"scan": scan, "weights": weights}
    place = tmp_path / "out" / name
    place.parent.mkdir()
    place.hardlink_to(inputs[read])
    before = place.read_bytes()
    result = _evaluate(scan, "--models", weights, "--masks", "equispaced", "--accelerations", "3", "-o", place.parent)
    assert result.exit_code == 1
    assert "would be overwritten; give another --output" in _text(result)
    assert list(place.parent.iterdir()) == [place]
    assert place.read_bytes() == before
