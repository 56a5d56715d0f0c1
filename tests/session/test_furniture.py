from dataclasses import replace
from pathlib import Path

from mri_noise.session.captions import caption
from mri_noise.session.furniture import Furniture, Seen, furniture
from mri_noise.session.jobs import OpenedScan
from mri_noise.session.layer_data import correlation_layer, image_layers, map_layers
from mri_noise.session.state import Session
from tests.session.examples import EXPERIMENT, JOB, OPENED, steps

RUN = steps()[-1]
SESSION = Session().with_scan(OPENED, 1).with_choices(EXPERIMENT, None).with_kept(RUN).with_shown(RUN)
IMAGE = image_layers(RUN.result, "run 1")[1]
STD, SNR, _ = map_layers(RUN.result, "run 1")
CELL = (0, 0)


def seen(number: int, spec: object, *, here: bool = True, colours: bool = True, cell: tuple[int, int] = CELL) -> Seen:
    return Seen(number, cell, here, colours, 0, spec, RUN.result)


def test_it_belongs_to_the_top_layer_that_is_seen() -> None:
    layers = [seen(0, IMAGE, colours=False), seen(1, STD), seen(2, SNR)]
    assert furniture(layers, SESSION) == Furniture(
        caption(RUN.result, "snr", "run 1"), names=frozenset({2}), bars=frozenset({2})
    )
    gone = [*layers[:1], *(replace(each, here=False) for each in layers[1:])]
    assert furniture(gone, SESSION) == Furniture(caption(RUN.result, "reconstruction", "run 1"))


def test_nothing_stands_where_nothing_of_a_run_is_seen() -> None:
    scan = Seen(3, CELL, True, False, 0, replace(IMAGE, key="kspace", provenance={}), OPENED)
    foreign = Seen(3, CELL, here=True)
    hidden = seen(1, STD, here=False)
    for layers in ([], [hidden], [seen(1, STD), scan], [seen(1, STD), foreign]):
        assert furniture(layers, SESSION) == Furniture()


def test_what_changed_since_the_run_that_is_shown_is_said_of_its_layers_alone() -> None:
    stale = SESSION.with_choices(EXPERIMENT.model_copy(update={"seed": 7}), None)
    assert furniture([seen(0, STD)], stale).text.startswith("Stale, changed since: seed 7\n")
    other = replace(RUN.result, image=RUN.result.image.clone())
    assert "Stale" not in furniture([replace(seen(0, STD), origin=other)], stale).text
    assert "Stale" not in furniture([seen(0, STD)], SESSION).text


def test_each_cell_of_a_grid_has_a_name_and_each_run_a_caption() -> None:
    cells = [seen(0, IMAGE, colours=False), seen(1, STD, cell=(0, 1)), seen(2, SNR, cell=(1, 0))]
    made = furniture(cells, SESSION, in_grid=True)
    assert made.names == {0, 1, 2}
    assert made.bars == {1, 2}
    assert made.text == caption(RUN.result, "std", "run 1")
    other = replace(RUN.result, image=RUN.result.image.clone())
    named = replace(STD, provenance={**STD.provenance, "run": "run 2"})
    two = furniture([cells[1], replace(seen(2, named), origin=other)], SESSION, in_grid=True)
    assert two.text.count("R = ") == 2
    assert "run 2" in two.text


def test_a_stack_says_which_run_its_slider_is_at() -> None:
    other = replace(RUN.result, experiment=EXPERIMENT.model_copy(update={"noise_scale": 2.0}))
    runs = [{"run": "run 4"}, {"run": "run 5"}]
    stack = replace(STD, provenance={"swept": "noise level", "runs": runs})
    for step, (run, noise) in enumerate((("run 4", False), ("run 5", True))):
        text = furniture([Seen(0, CELL, True, True, step, stack, (RUN.result, other))], SESSION).text
        assert text.startswith(run)
        assert ("noise x 2" in text) is noise


def test_a_correlation_has_no_samples() -> None:
    spec = correlation_layer(RUN.result, "run 1", (3, 4), RUN.result.image.abs())
    assert "probes" not in furniture([seen(0, spec)], SESSION).text


def test_scans_are_named_where_there_are_several() -> None:
    elsewhere = replace(OPENED.scan, fingerprint="another")
    scans = [OpenedScan(OPENED.scan, Path("/a/scan.h5")), OpenedScan(elsewhere, Path("/b/scan.h5"))]
    run = replace(RUN, job=replace(JOB, opened=scans[0]))
    session = Session(runs=(run,), shown=run, experiment=EXPERIMENT, index=1)
    below = [Seen(n, CELL, True, False, 0, replace(IMAGE, provenance={}), each) for n, each in enumerate(scans)]
    assert furniture([*below, seen(2, STD)], session).text.startswith(f"a/{OPENED.scan.name}, run 1   slice 1")
    assert furniture([below[0], seen(2, STD)], session).text.startswith("run 1   slice 1")
