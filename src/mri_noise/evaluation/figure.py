"""The figure of an evaluation: one page a slice, its images and their errors."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from mri_noise.arrays import Mask
from mri_noise.evaluation.rows import Row

_ERROR_SHARE = 0.2
"""Upper end of the windows of the errors, as a share of the images'."""


def images_figure(rows: Sequence[Row]) -> Figure:
    """Draw the cases of one slice: for each mask the reference and every method's image, their errors below.

    All images have one window, from zero to the 99.5th percentile of the reference in the object; all errors of
    the magnitude have one of a fifth of it, to both sides.

    Raises
    ------
    ValueError
        If no row has a reference to draw.
    """
    drawn = [row for row in rows if row.bench is not None and row.bench.reference is not None]
    if not drawn:
        raise ValueError("no case of this slice has a reference; there is nothing to draw")
    names = list(dict.fromkeys(row.method for row in drawn))
    cases = list(dict.fromkeys((row.case.kind, row.case.acceleration) for row in drawn))
    figure = Figure(figsize=(1.9 * (1 + len(names)), 3.9 * len(cases)), layout="constrained", dpi=110)
    panels = figure.subplots(2 * len(cases), 1 + len(names), squeeze=False)
    for place, case in enumerate(cases):
        of_case = [row for row in drawn if (row.case.kind, row.case.acceleration) == case]
        _draw_case(list(panels[2 * place]), list(panels[2 * place + 1]), of_case, names)
    figure.suptitle(f"{drawn[0].case.scan.name}, {drawn[0].case.scan.labels[drawn[0].case.index]}", fontsize=10)
    return figure


def _draw_case(above: Sequence[Axes], below: Sequence[Axes], rows: Sequence[Row], names: Sequence[str]) -> None:
    for axes in (*above, *below):
        axes.set_axis_off()
    bench = rows[0].bench
    if bench is None or bench.reference is None:
        return
    reference = bench.reference.abs()
    bright = float(np.percentile(reference[bench.region].numpy(), 99.5))
    crop = _bounding_box(bench.region)
    _panel(
        above[0],
        reference[crop],
        "gray",
        (0.0, bright),
        "reference, fully sampled",
    )
    mask = bench.prepared.encoding.mask.cpu().float()
    _panel(below[0], mask, "gray", (0.0, 1.0), f"{rows[0].case.kind}, R = {rows[0].net_acceleration:.2f}")
    for row in rows:
        if row.image is not None and row.quality is not None:
            column = 1 + names.index(row.method)
            error = (row.image.abs() - reference) * bench.region
            _panel(above[column], row.image.abs()[crop], "gray", (0.0, bright), row.method)
            limit = _ERROR_SHARE * bright
            _panel(below[column], error[crop], "RdBu_r", (-limit, limit), f"{row.quality.psnr:.1f} dB")


def _panel(axes: Axes, values: Tensor, colours: str, window: tuple[float, float], title: str) -> None:
    axes.imshow(values.numpy(), cmap=colours, vmin=window[0], vmax=window[1], interpolation="nearest")
    axes.set_title(title, fontsize=8)


def _bounding_box(region: Mask) -> tuple[slice, slice]:
    rows, columns = (region.any(dim=axis).nonzero().flatten() for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
