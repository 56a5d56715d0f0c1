import logging
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.training.data.draws import Draws
from mri_noise.training.data.random_masks import RandomMasks
from mri_noise.training.data.scans import UnusableScan
from mri_noise.training.data.stream import ExampleStream, FirstExamples
from mri_noise.training.example import Acquisition
from tests.problems import equispaced
from tests.training.acquisitions import Listed, acquisition, several
from tests.training.data.test_draws import same

DRAWS = Draws(masks=RandomMasks(kinds=("equispaced",), n_calibration=(2, 4)))
TWO = several(2)


def stream(listed: Listed, n_labelled: int, share: float = 0.0, seed: int = 0) -> ExampleStream:
    numbers = tuple(range(len(listed)))
    return ExampleStream(listed, numbers[:n_labelled], numbers[n_labelled:], share, DRAWS, (seed, 1))


class Broken(Listed):
    """Some of the acquisitions cannot be used."""

    unusable = (1, 2)

    def __getitem__(self, index: int) -> Acquisition:
        found = super().__getitem__(index)
        if index in self.unusable:
            raise UnusableScan(f"slice {index} of 'a.h5' cannot be used: it is broken")
        return found


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(9)), seed=st.integers(0, 2**32))
def test_an_example_depends_on_seed_and_number_alone(order: list[int], seed: int) -> None:
    expected = [stream(several(3), 3, seed=seed)[index] for index in range(9)]
    once = stream(several(3), 3, seed=seed)
    for index in order:
        assert same(once[index], expected[index])
    assert not same(stream(several(3), 3, seed=seed + 1)[0], expected[0])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_each_pass_is_a_permutation_of_its_own(n: int) -> None:
    listed = several(n)
    examples = stream(listed, n)
    for index in range(6 * n):
        examples[index]
    passes = [tuple(listed.reads[start : start + n]) for start in range(0, 6 * n, n)]
    assert all(sorted(one) == list(range(n)) for one in passes)
    assert n < 3 or len(set(passes)) > 1


@settings(max_examples=25, deadline=None)
@given(share=st.floats(0, 1), n=st.integers(1, 300))
def test_labelled_and_unlabelled_examples_take_turns(share: float, n: int) -> None:
    examples = stream(TWO, 1, share)
    turns = [examples._turn(index) for index in range(n)]
    for kind in (True, False):
        assert [position for labelled, position in turns if labelled == kind] == list(
            range(sum(labelled == kind for labelled, _ in turns))
        )
    assert abs(sum(not labelled for labelled, _ in turns) - share * n) < 1


def test_unlabelled_examples_are_of_unlabelled_acquisitions_and_have_no_target() -> None:
    listed = several(5)
    examples = stream(listed, 2, 0.6)
    drawn = [examples[index] for index in range(25)]
    of_labelled = [number in (0, 1) for number in listed.reads]
    assert [example.target is not None for example in drawn] == of_labelled
    assert sum(of_labelled) == 10
    assert sorted(set(listed.reads)) == list(range(5))


def test_what_cannot_be_used_is_skipped_once_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    listed = Broken(several(4).acquisitions, several(4).subjects)
    examples = stream(listed, 4)
    with caplog.at_level(logging.WARNING):
        drawn = [examples[index] for index in range(12)]
    assert sorted(record.getMessage() for record in caplog.records) == [
        f"skipped: slice {index} of 'a.h5' cannot be used: it is broken" for index in (1, 2)
    ]
    assert len([number for number in listed.reads if number in (1, 2)]) == 2
    # What comes in its place does not depend on what was asked for before.
    fresh = stream(Broken(listed.acquisitions, listed.subjects), 4)
    assert all(same(fresh[index], drawn[index]) for index in (7, 3, 11))


def test_what_cannot_be_used_is_an_error_if_strict() -> None:
    examples = replace(stream(Broken(several(4).acquisitions, several(4).subjects), 4), strict=True)
    with pytest.raises(UnusableScan, match="is broken"):
        for index in range(4):
            examples[index]


def test_nothing_usable_is_said_in_one_sentence() -> None:
    listed = Broken(several(3).acquisitions, several(3).subjects)
    listed.unusable = (0, 1, 2)
    with pytest.raises(ValueError, match="none of the 3 labelled acquisitions can be used; see the warnings"):
        stream(listed, 3)[0]


def test_undersampled_acquisitions_are_skipped_where_labels_are_needed(caplog: pytest.LogCaptureFixture) -> None:
    undersampled = acquisition(16, 18, 2, mask=equispaced(16, 18, 2, 4))
    listed = Listed([acquisition(16, 18, 2), undersampled], ("a", "b"))
    examples = stream(listed, 2)
    assert {examples[index].target is None for index in range(4)} == {True, False}
    needy = replace(examples, needs_labels=True, skipped=set())
    assert all(needy[index].target is not None for index in range(6))
    (record,) = caplog.records
    assert "an acquisition of 'b' is undersampled" in record.getMessage()


def test_first_examples_are_drawn_once() -> None:
    listed = several(3)
    first = FirstExamples(stream(listed, 3), 4)
    assert len(first) == 4
    assert first[2] is first[2]
    assert len(list(first)) == 4
    assert len(listed.reads) == 4
    assert same(first[3], stream(several(3), 3)[3])
    for outside in (-1, 4):
        with pytest.raises(IndexError, match="not among the first 4"):
            first[outside]


def test_negative_numbers_are_refused() -> None:
    with pytest.raises(IndexError, match="numbered from 0, got -1"):
        stream(several(2), 2)[-1]
