import multiprocessing
import os
import signal
from collections.abc import Iterator
from itertools import chain, islice

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_noise.signals import ASKING
from mri_noise.training.data.loader import ExampleLoader
from mri_noise.training.example import Example
from tests.training.acquisitions import several
from tests.training.data.test_draws import same
from tests.training.data.test_stream import stream


def seeds(batches: Iterator[list[Example]] | ExampleLoader) -> list[list[int]]:
    return [[example.seed for example in batch] for batch in batches]


EXPECTED = [stream(several(3), 3)[index].seed for index in range(40)]


@settings(max_examples=15, deadline=None)
@given(batch_size=st.integers(1, 3), world_size=st.integers(1, 3), n_steps=st.integers(1, 4))
def test_the_processes_share_the_batches_of_one(batch_size: int, world_size: int, n_steps: int) -> None:
    def loader(batch_size: int, rank: int, world_size: int) -> ExampleLoader:
        examples = stream(several(3), 3)
        return ExampleLoader(examples, batch_size=batch_size, n_steps=n_steps, rank=rank, world_size=world_size)

    ranks = [seeds(loader(batch_size, rank, world_size)) for rank in range(world_size)]
    n_at_once = batch_size * world_size
    alone = seeds(loader(n_at_once, 0, 1))
    assert alone == [EXPECTED[first : first + n_at_once] for first in range(0, n_steps * n_at_once, n_at_once)]
    together = [[seed for share in zip(*parts, strict=True) for seed in share] for parts in zip(*ranks, strict=True)]
    assert together == alone


@pytest.mark.parametrize("n_done", [0, 1, 5, 7, 10])
def test_a_loader_goes_on_where_another_stopped(n_done: int) -> None:
    stopped = ExampleLoader(stream(several(3), 3), batch_size=2, n_steps=5)
    given = seeds(islice((batch for _ in range(3) for batch in stopped), n_done))
    resumed = ExampleLoader(stream(several(3), 3), batch_size=2, n_steps=5)
    resumed.load_state_dict(stopped.state_dict())
    assert len(resumed) == 5
    given += seeds(resumed)  # the rest of the epoch
    assert len(given) == n_done // 5 * 5 + 5
    given += seeds(resumed)
    assert given == [EXPECTED[first : first + 2] for first in range(0, 2 * len(given), 2)]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning", "ignore:This DataLoader will create")  # of one core
def test_workers_draw_the_same_examples() -> None:
    before = torch.random.get_rng_state()
    here, there = (
        list(ExampleLoader(stream(several(5), 3, 0.5), batch_size=2, n_steps=3, n_workers=n)) for n in (0, 2)
    )
    assert [len(batch) for batch in there] == [2, 2, 2]
    for one, other in zip(chain(*here), chain(*there), strict=True):
        assert (one.target is None) == (other.target is None)
        assert one.target is None or same(one, other)
        assert one.kspace.equal(other.kspace)
        assert one.mask.dtype == other.mask.dtype == torch.bool
    assert torch.random.get_rng_state().equal(before)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_stopped_loader_counts_what_it_gave_out_not_what_workers_fetched() -> None:
    loader = ExampleLoader(stream(several(3), 3), batch_size=1, n_steps=6, n_workers=1)
    batches = iter(loader)
    next(batches), next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert loader.state_dict() == {"n_given": 2}
    assert seeds(loader) == [[seed] for seed in EXPECTED[2:6]]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("number", ASKING)
def test_workers_outlive_an_interrupt_that_the_training_handles(number: signal.Signals) -> None:
    batches = iter(ExampleLoader(stream(several(3), 3), batch_size=1, n_steps=6, n_workers=1))
    first = next(batches)
    (worker,) = multiprocessing.active_children()
    assert worker.pid is not None
    os.kill(worker.pid, number)
    assert [[example.seed for example in batch] for batch in (first, *batches)] == [[seed] for seed in EXPECTED[:6]]
