from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mri_noise.readings import comparison_of, estimate_of
from mri_noise.report import (
    comparison_figure,
    comparison_table,
    cost_table,
    draw,
    result_figure,
    roi_table,
    scan_table,
    summary_table,
    write_table,
)
from mri_noise.result import Result
from tests.compared import SCAN, sketch_and_exact


@pytest.fixture(scope="module")
def results() -> tuple[Result, Result]:
    return sketch_and_exact()


def test_summary_is_that_of_the_maps(results: tuple[Result, Result]) -> None:
    sketch, _ = results
    (row,) = summary_table([sketch]).to_dict(orient="records")
    sigma = estimate_of(sketch).variance_magnitude[sketch.object].sqrt()
    assert row["slice"] == "slice 1"
    assert row["R"] == pytest.approx(32 * 28 / int(sketch.mask.sum()), abs=0.01)
    assert row["median std"] == pytest.approx(float(sigma.median()))
    assert row["median SNR"] == pytest.approx(float((sketch.image.abs()[sketch.object] / sigma).median()))
    assert row["evaluations"] == 200 + 12  # with four pairs


def test_comparison_table_has_both_channels(results: tuple[Result, Result]) -> None:
    table = comparison_table(*results)
    assert list(table.columns) == ["magnitude std", "complex std"]
    assert table.loc["Pearson correlation", "complex std"] == pytest.approx(
        comparison_of(*results, channel="complex").pearson
    )
    # white circular probes: the complex std has the smaller error
    assert table.loc["NRMSE by rms, object [%]", "complex std"] < table.loc["NRMSE by rms, object [%]", "magnitude std"]


def test_cost_table(results: tuple[Result, Result]) -> None:
    table = cost_table(results)
    assert list(table.columns) == ["sketch", "exact"]
    assert list(table.loc["evaluations"]) == [200 + 12, 2 * 32 * 28 + 12]
    assert (table.loc["seconds"] > 0).all()


def test_roi_table(results: tuple[Result, Result]) -> None:
    (row,) = roi_table(results[:1]).to_dict(orient="records")
    assert row["region"] == "centre"
    assert row["std of mean magnitude"] == results[0].rois[0].noise.standard_deviation_magnitude
    assert roi_table([replace(results[0], rois=())]).empty


def test_scan_table() -> None:
    facts = dict(scan_table(SCAN).itertuples(index=False))
    assert facts["rows x columns"] == "32 x 28"
    assert facts["coils"] == "4"
    assert facts["sampled"] == "100.0 %, R = 1.00"


def test_figures_show_the_maps(results: tuple[Result, Result], tmp_path: Path) -> None:
    sketch, exact = results
    figure = result_figure(sketch)
    shown = {axes.get_title(): axes.images[0].get_array() for axes in figure.axes if axes.images}
    expected = estimate_of(sketch).variance_magnitude.sqrt().numpy()
    np.testing.assert_allclose(shown["noise std of the magnitude [data units]"], expected)
    np.testing.assert_allclose(shown["sampling mask"], sketch.mask.numpy())
    comparison = comparison_figure(sketch, exact)
    windows = [axes.images[0].get_clim() for axes in comparison.axes if axes.get_title().startswith("std, ")]
    assert len(windows) == 2
    assert windows[0] == windows[1]
    difference = next(axes.images[0].get_clim() for axes in comparison.axes if axes.get_title() == "difference")
    assert difference[0] == -difference[1]
    draw(comparison, tmp_path / "comparison.png")
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_every_panel_of_a_figure_has_the_same_colour_where_it_has_no_value(results: tuple[Result, Result]) -> None:
    sketch, _ = results
    estimate = estimate_of(sketch)
    probed = estimate.only("magnitude", region=sketch.object)
    figure = result_figure(replace(sketch, estimate=probed))
    maps = {axes.get_title(): axes.images[0] for axes in figure.axes if axes.images}
    outside = ~sketch.object.numpy()
    colours = [
        maps[title].to_rgba(maps[title].get_array())[outside]
        for title in ("noise std of the magnitude [data units]", "SNR", "g-factor")
    ]
    assert np.ptp(np.concatenate(colours), axis=0).max() == 0


def test_a_figure_that_cannot_be_written_leaves_nothing(results: tuple[Result, Result], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no folder"):
        draw(result_figure(results[0]), tmp_path / "absent" / "maps.png")
    with pytest.raises(ValueError, match=r"png"):
        draw(result_figure(results[0]), tmp_path / "maps.picture")
    assert list(tmp_path.iterdir()) == []


def test_write_table(results: tuple[Result, Result], tmp_path: Path) -> None:
    write_table(cost_table(results), tmp_path / "cost.csv")
    assert (tmp_path / "cost.csv").read_text().startswith(",sketch,exact\nsamples,")


def test_a_result_without_samples_has_no_maps(results: tuple[Result, Result]) -> None:
    with pytest.raises(ValueError, match="has no variance yet"):
        summary_table([replace(results[0], estimate=None)])
