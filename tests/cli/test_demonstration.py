from pathlib import Path

import pandas as pd
import pytest

from mri_noise.cli import demonstration
from mri_noise.recon.linear import ZeroFilled
from mri_noise.recon.networks.varnet import VarNetSettings

SAMPLE = Path(__file__).parents[2] / "sample_data" / "brain_phantom.h5"


def test_figures_and_a_table_of_every_reconstruction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = VarNetSettings(n_cascades=1, n_channels=2, n_pools=1, sensitivity_n_channels=2, sensitivity_n_pools=1)
    monkeypatch.setattr(demonstration, "RECONSTRUCTIONS", {"zero-filled": ZeroFilled(), "VarNet": small})
    monkeypatch.setattr(demonstration, "N_SAMPLES", 8)
    demonstration.demonstrate(SAMPLE, tmp_path / "demo")
    written = {path.name for path in (tmp_path / "demo").iterdir()}
    assert written == {
        "noise.csv",
        "varnet_maps.png",
        "varnet_sketch_and_monte_carlo.png",
        "zero-filled_maps.png",
        "zero-filled_sketch_and_monte_carlo.png",
    }
    table = pd.read_csv(tmp_path / "demo" / "noise.csv", index_col=0)
    zero_filled = table.set_index("reconstruction").loc["zero-filled"]
    ratio = zero_filled["difference [%]"] / zero_filled["expected [%]"]
    assert 0.8 < ratio < 1.25


def test_a_scan_is_not_overwritten_by_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demonstration, "RECONSTRUCTIONS", {"zero-filled": ZeroFilled()})
    monkeypatch.setattr(demonstration, "run", lambda *_, **__: pytest.fail("computed"))
    scan = tmp_path / "zero-filled_maps.png"
    scan.write_bytes(SAMPLE.read_bytes())
    with pytest.raises(ValueError, match="is the scan itself and would be overwritten"):
        demonstration.demonstrate(scan, tmp_path)
    assert scan.read_bytes() == SAMPLE.read_bytes()
