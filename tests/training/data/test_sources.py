from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mri_noise.training.data.sources as module
from mri_noise.acquisition.coils import LowResolution
from mri_noise.training.data.draws import Draws
from mri_noise.training.data.random_masks import RandomMasks
from mri_noise.training.data.scans import Scans
from mri_noise.training.data.sources import Data, Datasets, user_cache
from mri_noise.training.data.stream import ExampleStream
from tests.training.acquisitions import Listed, several, write_scan
from tests.training.data.test_draws import same

DRAWS = Draws(masks=RandomMasks(kinds=("equispaced",), n_calibration=(2, 4)))


def opened(listed: Listed, seed: int = 0, **choices: object) -> Datasets:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Data, "_acquisitions", lambda self: listed)
        return Data.model_validate({"draws": DRAWS, **choices}).open(seed)


def subjects(stream: ExampleStream, numbers: tuple[int, ...]) -> set[str]:
    return {stream.acquisitions.subjects[number] for number in numbers}


@settings(max_examples=30, deadline=None)
@given(
    n_subjects=st.integers(2, 25),
    per_subject=st.integers(1, 3),
    seed=st.integers(0, 2**32),
    data=st.data(),
)
def test_no_subject_is_on_two_sides(n_subjects: int, per_subject: int, seed: int, data: st.DataObject) -> None:
    n_validation = data.draw(st.none() | st.integers(1, n_subjects - 1))
    n_training = n_subjects - (n_validation or max(1, n_subjects // 10))
    n_labelled = data.draw(st.none() | st.integers(1, n_training))
    n_unlabelled = data.draw(st.none() | st.integers(0, n_training - (n_labelled or n_training)))
    listed = Listed([], tuple(f"s{number % n_subjects}" for number in range(n_subjects * per_subject)))
    choices = {"n_validation_subjects": n_validation, "n_labelled": n_labelled, "n_unlabelled": n_unlabelled}
    found = opened(listed, seed, **choices)
    stream, held_out = found.training, found.validation.stream
    parts = [
        subjects(stream, stream.labelled),
        subjects(stream, stream.unlabelled),
        subjects(stream, held_out.labelled),
    ]
    assert len(set().union(*parts)) == sum(map(len, parts))
    rest = n_training - (n_labelled if n_labelled is not None else n_training)
    expected = [n_training - rest, rest if n_unlabelled is None else n_unlabelled, n_subjects - n_training]
    assert [len(part) for part in parts] == expected
    counts = [len(stream.labelled), len(stream.unlabelled), len(held_out.labelled)]
    assert counts == [per_subject * n for n in expected]
    again = opened(listed, seed, **choices)
    assert (again.training.labelled, again.validation.stream.labelled) == (stream.labelled, held_out.labelled)


def test_the_split_is_the_seeds() -> None:
    listed = several(30)
    splits = {opened(listed, seed).validation.stream.labelled for seed in range(5)}
    assert len(splits) > 1


def test_validation_is_fixed_and_labelled() -> None:
    found, again = (opened(several(6), 3, n_validation=5, n_labelled=2) for _ in range(2))
    assert len(found.validation) == 5
    assert all(same(a, b) for a, b in zip(found.validation, again.validation, strict=True))
    training = [found.training[index] for index in range(5)]
    assert not {example.seed for example in found.validation} & {example.seed for example in training}


def test_shares_follow_what_there_is() -> None:
    share = {"unlabelled_share": 0.3}
    assert opened(several(6), n_labelled=2, **share).training.unlabelled_share == 0.3
    assert opened(several(6), **share).training.unlabelled_share == 0
    assert opened(several(6), n_labelled=0, **share).training.unlabelled_share == 1


@pytest.mark.parametrize(
    ("n_subjects", "choices", "message"),
    [
        (1, {}, "1 subjects to train with and 1 for validation are wanted, but there are 1;"),
        (4, {"n_labelled": 4}, "4 subjects to train with and 1 for validation are wanted, but there are 4;"),
        (4, {"n_labelled": 2, "n_unlabelled": 2}, "4 subjects to train with and 1 for validation"),
        (4, {"n_validation_subjects": 4}, "1 subjects to train with and 4 for validation"),
        (4, {"n_labelled": 0, "n_unlabelled": 0}, "no subject is left to train with"),
    ],
)
def test_too_few_subjects_are_said_in_one_sentence(n_subjects: int, choices: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        opened(several(n_subjects), **choices)
    assert "\n" not in str(caught.value)


def test_labels_that_are_required_are_there() -> None:
    found = opened(several(6), n_labelled=2, unlabelled_share=0.5).require_labels()
    assert [found.training[index].target is None for index in range(4)] == [False, True, False, True]
    for choices in ({"n_labelled": 0}, {"n_labelled": 2, "unlabelled_share": 1.0}):
        with pytest.raises(ValueError, match=r"needs labelled examples, and there are none; set data\.n_labelled"):
            opened(several(6), **choices).require_labels()


def scans(folder: Path, **choices: object) -> Data:
    source = Scans(paths=(folder / "scans",), coils=LowResolution())
    return Data.model_validate({"source": source, "draws": DRAWS, "cache": folder / "cache", **choices})


def test_only_undersampled_scans_have_no_labels(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    lines = torch.zeros(32, dtype=torch.bool)
    lines[::2] = lines[10:22] = True
    for number in range(3):
        write_scan(tmp_path / "scans" / f"{number}.h5", scale=1e-4 * (1 + number), sampled=lines)
    found = scans(tmp_path).open(0)
    assert found.training[0].target is None
    with pytest.raises(ValueError, match="none of the 2 labelled acquisitions can be used"):
        found.require_labels()
    with pytest.raises(ValueError, match="is undersampled, and gives no label"):
        scans(tmp_path, strict=True).open(0).require_labels()


def test_reading_fills_the_cache(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    for number in range(3):
        write_scan(tmp_path / "scans" / f"{number}.h5", n_slices=2, scale=1e-4 * (1 + number))
    found = scans(tmp_path).open(0)
    assert all(found.training.usable(number, with_target=False) for number in range(6))
    assert len(list((tmp_path / "cache").iterdir())) == 6


def test_a_corrupt_file_among_many_is_an_error_if_strict(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    for number in range(3):
        write_scan(tmp_path / "scans" / f"{number}.h5")
    (tmp_path / "scans" / "bad.h5").write_bytes(b"nothing")
    found = scans(tmp_path).open(0)
    assert len(found.training.acquisitions) == 3
    with pytest.raises(ValueError, match=r"bad\.h5"):
        scans(tmp_path, strict=True).open(0)


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache() == tmp_path / "napari-mri-noise" / "acquisitions"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(module.Path, "home", lambda: tmp_path / "me")
    assert user_cache() == tmp_path / "me" / ".cache" / "napari-mri-noise" / "acquisitions"
