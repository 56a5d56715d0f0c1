import json
import os
import signal
import tempfile
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from mri_noise.acquisition.coils import MapsFromFile
from mri_noise.acquisition.noise_sources import NoiseFromPrescan
from mri_noise.acquisition.scan import Scan, Slice
from mri_noise.atomic import Draft
from mri_noise.experiment import Experiment
from mri_noise.io.results import SavedExperiment, load_experiment, load_results, save_results
from mri_noise.pipeline import run
from mri_noise.result import Result
from mri_noise.roi import Rectangle
from mri_noise.signals import ASKING, ENDING, Ended, raise_when_asked_to_end
from mri_noise.variance.sampling.sketch import Sketch
from tests.io.random_results import EXPERIMENTS, VARIANCES, assert_same, random_result, result_arguments
from tests.problems import problem


@settings(deadline=None, max_examples=40)
@given(arguments=result_arguments())
def test_comes_back_bit_for_bit(arguments: list[dict[str, Any]]) -> None:
    results = [random_result(**of_slice) for of_slice in arguments]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.h5"
        save_results(iter(results), path)
        loaded = load_results(path)
        slices = tuple(result.index for result in results)
        n_threads = results[0].provenance.n_threads
        assert load_experiment(path) == SavedExperiment(results[0].experiment, slices, n_threads)
    assert len(loaded) == len(results)
    for a, b in zip(loaded, results, strict=True):
        assert_same(a, b)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_layout_is_the_documented_one(tmp_path: Path, experiment: Experiment) -> None:
    results = [random_result(i, experiment=experiment) for i in (4, 2)]
    save_results(results, tmp_path / "out.h5")
    image, coils, complex_type = (2, 5, 8), 3, np.dtype(experiment.precision)
    expected = {
        "image": (image, complex_type),
        "zero_filled": (image, complex_type),
        **{name: (image, np.dtype("float64")) for name in VARIANCES},
        "mask": (image, np.dtype("bool")),
        "object": (image, np.dtype("bool")),
        "coil_maps": ((2, coils, 5, 8), complex_type),
        "noise_covariance": ((2, coils, coils), np.dtype("complex128")),
    }
    with h5py.File(tmp_path / "out.h5") as file:
        assert {name: (dataset.shape, dataset.dtype) for name, dataset in file.items()} == expected
        assert set(file.attrs) == {"format", "format_version", "experiment", "slices", "provenance"}
        assert Experiment.model_validate_json(file.attrs["experiment"]) == experiment
        np.testing.assert_array_equal(file["image"][1], results[1].image.numpy())


def test_attributes_of_many_slices_fit(tmp_path: Path) -> None:
    def stream() -> Iterator[Result]:
        for index in range(100):
            result = random_result(index, rows=1, columns=2, n_coils=1)
            yield replace(result, provenance=replace(result.provenance, label=1000 * "long "))

    save_results(stream(), tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as file:
        assert len(file.attrs["provenance"]) > 100 * 5000
    assert load_experiment(tmp_path / "out.h5").slices == tuple(range(100))


def test_holds_one_slice_at_a_time(tmp_path: Path) -> None:
    alive: weakref.WeakSet[torch.Tensor] = weakref.WeakSet()

    def stream() -> Iterator[Result]:
        for index in range(6):
            assert len(alive) <= 1
            result = random_result(index)
            alive.add(result.coil_maps)
            yield result
            del result

    save_results(stream(), tmp_path / "out.h5")
    assert len(load_results(tmp_path / "out.h5")) == 6


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, GeneratorExit])
def test_a_run_that_breaks_leaves_the_former_file(tmp_path: Path, error: type[BaseException]) -> None:
    def stream() -> Iterator[Result]:
        yield random_result(0)
        raise error

    path = tmp_path / "out.h5"
    save_results([random_result(7)], path)
    former = path.read_bytes()
    with pytest.raises(error):
        save_results(stream(), path)
    assert path.read_bytes() == former
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def raising() -> Iterator[None]:
    """Signals raise, as they do in the command."""
    former = {number: signal.getsignal(number) for number in ENDING}
    raise_when_asked_to_end()
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


STEPS = ("write", "truncate", "finish", "take_place", "discard")


def _at(monkeypatch: pytest.MonkeyPatch, position: int, act: Callable[[], None]) -> list[str]:
    """Act at a step of a write; the list grows by each step."""
    steps: list[str] = []

    def acting(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def act_first(*arguments: Any) -> Any:
            steps.append(name)
            if len(steps) == position:
                act()
            return step(*arguments)

        return act_first

    for name in STEPS:
        monkeypatch.setattr(Draft, name, acting(name, getattr(Draft, name)))
    return steps


def _n_steps(tmp_path: Path) -> int:
    with pytest.MonkeyPatch.context() as patch:
        steps = _at(patch, 0, lambda: None)
        save_results([random_result(0), random_result(1)], tmp_path / "out.h5")
    assert set(steps) == set(STEPS)
    return len(steps)


@pytest.mark.usefixtures("raising")
def test_a_signal_at_any_step_of_a_write_leaves_the_former_file_or_the_new_one(tmp_path: Path) -> None:
    path, steps = tmp_path / "out.h5", _n_steps(tmp_path)
    new = path.read_bytes()
    numbers = [number for number in ASKING if signal.getsignal(number) is not signal.SIG_IGN]
    found = []
    for position in (*range(1, steps - 4, 8), *range(steps - 4, steps + 1)):
        save_results([random_result(7)], path)
        former, number = path.read_bytes(), numbers[position % len(numbers)]
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Ended) as caught:
            _at(patch, position, lambda number=number: os.kill(os.getpid(), number))
            save_results([random_result(0), random_result(1)], path)
        assert caught.value.number == number
        found.append({former: "former", new: "new"}[path.read_bytes()])
        assert list(tmp_path.iterdir()) == [path]
    assert found == sorted(found)
    assert found[-3:] == ["new", "new", "new"]  # finish, take_place and discard are not broken off


@pytest.mark.parametrize("error", [MemoryError, OSError, KeyboardInterrupt, ZeroDivisionError, SystemExit])
def test_whatever_is_raised_at_any_step_of_a_write_leaves_the_former_file(
    tmp_path: Path, error: type[BaseException]
) -> None:
    def fail() -> None:
        raise error

    path, steps = tmp_path / "out.h5", _n_steps(tmp_path)
    save_results([random_result(7)], path)
    former = path.read_bytes()
    for position in (*range(1, steps - 4, 16), *range(steps - 4, steps)):  # all but the last, which discards
        with pytest.MonkeyPatch.context() as patch, pytest.raises((error, ValueError)):
            _at(patch, position, fail)
            save_results([random_result(0), random_result(1)], path)
        assert path.read_bytes() == former
        assert list(tmp_path.iterdir()) == [path]


def test_results_that_cannot_be_saved_leave_nothing(tmp_path: Path) -> None:
    for results in ([], [replace(random_result(0), estimate=None)], [random_result(0), random_result(1, rows=4)]):
        with pytest.raises(ValueError):
            save_results(results, tmp_path / "out.h5")
    assert not list(tmp_path.iterdir())


def test_an_unwritable_path_is_refused_before_the_first_result_is_computed(tmp_path: Path) -> None:
    def never() -> Iterator[Result]:
        pytest.fail("computed")
        yield

    with pytest.raises(ValueError, match="there is no folder"):
        save_results(never(), tmp_path / "absent" / "out.h5")


def test_a_full_disk_stops_at_the_slice_that_does_not_fit(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="file size limits are of POSIX")
    taken = []

    def stream() -> Iterator[Result]:
        for index in range(9):
            taken.append(index)
            yield random_result(index, rows=40, columns=50)

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, limits[1]))
    try:
        with pytest.raises(ValueError, match=r"^cannot write '.*out.h5' \(File too large\)"):
            save_results(stream(), tmp_path / "out.h5")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert 1 < len(taken) < 9
    assert not list(tmp_path.iterdir())


def _replace(name: str, **dataset: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, **dataset)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.attrs.pop("format"), "is not a result of mri-noise"),
        (lambda file: file.attrs.update(format=[1, 2]), "is not a result of mri-noise"),
        (lambda file: file.attrs.update(format_version=1), "in version 1 of the format"),
        (lambda file: file.attrs.pop("slices"), "slices: Field required"),
        (lambda file: file.attrs.update(experiment=3), "experiment: Field required"),
        (lambda file: file.attrs.update(experiment="{"), "its attributes are not JSON"),
        (lambda file: file.attrs.update(provenance="[" * 10**5), "its attributes are not JSON"),
        (lambda file: file.attrs.update(experiment='{"sed": 1}'), "did you mean 'seed'"),
        (lambda file: file.pop("mask"), "no dataset 'mask'"),
        (lambda file: (file.pop("mask"), file.create_group("mask")), "no dataset 'mask'"),
        (_replace("mask", data=np.zeros((2, 5, 8))), "'mask' should be boolean"),
        (_replace("image", data=np.zeros((2, 5, 8), ">c8")), "'image' should be complex"),
        (_replace("image", data=["text", "text"]), "'image' should be complex"),
        (_replace("image", data=h5py.Empty("c8")), "'image' should be complex"),
        (_replace("image", data=np.zeros((2, 5), "c8")), "with axes slice, row, column"),
        (_replace("image", data=np.zeros((3, 5, 8), "c8")), "'image' has 3 in axis slice where 2 are expected"),
        (_replace("variance", data=np.zeros((2, 8, 5))), "'variance' has 8 in axis row where 5 are expected"),
        (_replace("noise_covariance", data=np.ones((2, 3, 2), "c16")), "has 2 in axis coil where 3 are expected"),
        (_replace("image", shape=(2, 10**6, 10**6), dtype="c8", chunks=(1, 64, 64)), "holds less than it declares"),
        (_replace("noise_covariance", data=np.ones((2, 3, 3), "c16")), "positive definite"),
        (lambda file: (file.pop("image"), file.update(image=h5py.ExternalLink("a.h5", "/a"))), "external link"),
    ],
)
def test_a_file_that_is_not_sound_is_refused_in_one_sentence(
    tmp_path: Path, change: Callable[[h5py.File], None], message: str
) -> None:
    path = tmp_path / "out.h5"
    save_results([random_result(0), random_result(1)], path)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(ValueError) as caught:
        load_results(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_truncated_or_foreign_or_absent_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path, broken = tmp_path / "out.h5", tmp_path / "broken.h5"
    save_results([random_result(0)], path)
    content = path.read_bytes()
    for part in (b"", b"kspace: [1, 2]", *(content[:n] for n in range(100, len(content), 1500))):
        broken.write_bytes(part)
        for load in (load_results, load_experiment):
            with pytest.raises(ValueError, match=r"^[^\n]*broken.h5[^\n]*$"):
                load(broken)
    with pytest.raises(ValueError, match=r"^[^\n]*absent.h5[^\n]*$"):
        load_results(tmp_path / "absent.h5")


@pytest.mark.parametrize("precision", ["complex64", "complex128"])
def test_a_saved_experiment_repeats_bit_for_bit(tmp_path: Path, precision: str) -> None:
    case = problem(rows=11, columns=14, n_coils=3, dtype=torch.complex64)
    scan = Scan(
        name="small",
        layout="memory",
        labels=("slice 0", "slice 1", "slice 2"),
        n_coils=3,
        matrix=(11, 14),
        phase_encode_axes=(-1,),
        voxel_size=None,
        fingerprint="none",
        read=lambda i: Slice((1 + i) * case.kspace, case.encoding.mask, case.noise, case.encoding.coil_maps),
    )
    experiment = Experiment(
        noise=NoiseFromPrescan(),
        added_noise=0.5,
        coils=MapsFromFile(),
        variance=Sketch(n_probes=5),
        rois=(Rectangle(name="centre", corners=((3, 4), (7, 9))),),
        precision=precision,
        device="cpu",
    )
    path = tmp_path / "out.h5"
    save_results((result for result in run(scan, experiment, slices=(2, 0)) if result.complete), path)
    first = load_results(path)
    saved = load_experiment(path)
    again, slices = saved.experiment, saved.slices
    assert (again, slices) == (experiment, (2, 0))
    second = [result for result in run(scan, again, slices=slices) if result.complete]
    assert first[0].rois[0].noise.standard_deviation > 0
    for a, b in zip(first, second, strict=True):
        assert_same(a, replace(b, provenance=a.provenance))


def test_the_measurement_comes_back_and_former_files_name_none(tmp_path: Path) -> None:
    result, path = random_result(), tmp_path / "out.h5"
    save_results([replace(result, provenance=replace(result.provenance, measurement="dataset_2"))], path)
    assert load_results(path)[0].provenance.measurement == load_experiment(path).measurement == "dataset_2"
    with h5py.File(path, "r+") as file:
        former = json.loads(file.attrs["provenance"])
        del former[0]["measurement"]
        file.attrs["provenance"] = json.dumps(former)
    assert load_results(path)[0].provenance.measurement == load_experiment(path).measurement == ""
