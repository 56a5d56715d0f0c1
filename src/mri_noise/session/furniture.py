"""What stands on the canvas beside the layers: a pure function of which are seen and of the session."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mri_noise.result import Result
from mri_noise.session.captions import caption
from mri_noise.session.identities import distinct_titles, identity
from mri_noise.session.jobs import OpenedScan
from mri_noise.session.layer_data import LayerSpec
from mri_noise.session.state import Session

Origin = OpenedScan | Result | tuple[Result, ...] | None
"""What a layer shows something of; several results for a stack, in the order of its first axis."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A layer that can hide what lies below it.

    Attributes
    ----------
    number
        Its place in the list of layers, from below.
    cell
        Cell of the grid; the same for all without one.
    here
        Whether it is visible and has data where the sliders are.
    in_colours
        Whether what it shows needs a colour bar.
    step
        Where the slider of a stack is, along its first axis.
    spec, origin
        What it shows; none for a layer of somebody else.
    """

    number: int
    cell: tuple[int, int]
    here: bool
    in_colours: bool = False
    step: int = 0
    spec: LayerSpec | None = None
    origin: Origin = None


@dataclass(frozen=True, slots=True)
class Furniture:
    """The text on the canvas, and the numbers of the layers whose names and colour bars are drawn."""

    text: str = ""
    names: frozenset[int] = frozenset()
    bars: frozenset[int] = frozenset()


def furniture(layers: Sequence[Seen], session: Session, *, in_grid: bool = False) -> Furniture:
    """What belongs to the top layer that is seen, in each cell of a grid; nothing where that is somebody else's."""
    on_top = {layer.cell: layer for layer in layers if layer.here}
    tops = [layer for layer in on_top.values() if layer.spec is not None]
    shaped = frozenset(layer.number for layer in tops if layer.in_colours)
    return Furniture(
        text=_text(tops, layers, session),
        names=frozenset(layer.number for layer in tops) if in_grid else shaped,
        bars=shaped,
    )


def _text(tops: Sequence[Seen], layers: Sequence[Seen], session: Session) -> str:
    """A caption for each result that is seen: that of its map, where both its image and its map are."""
    scans = _titles_of_scans(layers, session)
    said: dict[int, list[str]] = {}
    for layer in tops:
        for result, run in _results_of(layer):
            key = "" if layer.spec is None else layer.spec.key
            name = ", ".join(filter(None, (scans.get(result.provenance.fingerprint, ""), run)))
            said.setdefault(id(result.image), []).append(_stale(result, session) + caption(result, key, name))
    return "\n".join(max(captions, key=len) for captions in said.values())


def _results_of(layer: Seen) -> list[tuple[Result, str]]:
    """The results of which a layer shows something where the sliders are, each with the name of its run."""
    assert layer.spec is not None
    origin, named = layer.origin, layer.spec.provenance
    if isinstance(origin, Result):
        return [(origin, named.get("run", ""))]
    if not isinstance(origin, tuple) or not origin:
        return []
    runs = [each["run"] for each in named["runs"]]
    if "swept" in named:
        step = min(layer.step, len(origin) - 1)
        return [(origin[step], runs[step])]
    return list(zip(origin, runs, strict=True))


def _stale(result: Result, session: Session) -> str:
    """What changed since the run that is shown, if the result is its."""
    shown = session.shown
    if shown is None or result.image is not shown.result.image or not session.stale:
        return ""
    return f"Stale, changed since: {session.stale}\n"


def _titles_of_scans(layers: Sequence[Seen], session: Session) -> Mapping[str, str]:
    """What the scans of a window are called, by their fingerprints; nothing if there is only one."""
    opened = [layer.origin for layer in layers if isinstance(layer.origin, OpenedScan)]
    opened += [run.job.opened for run in session.runs if run.job.opened is not None]
    titles = distinct_titles(opened)
    called = {each.scan.fingerprint: titles[identity(each)] for each in opened}
    results = [result for layer in layers if layer.spec is not None for result, _ in _results_of(layer)]
    called = {each.provenance.fingerprint: each.provenance.scan for each in results} | called
    return called if len(called) > 1 else {}
