import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch

from mri_noise.acquisition.masks import AsAcquired
from mri_noise.pipeline import StageCache, prepare
from mri_noise.session.jobs import SharedCache, ahead, device_note, kept, loaded, snapshots, up_to_here
from mri_noise.variance.lattice.magnitude import LatticeProbing
from mri_noise.variance.sampling.exact import Exact
from tests.session.examples import EXPERIMENT, JOB, OPENED, steps


def test_the_reference_is_the_combination_of_all_samples() -> None:
    everything = EXPERIMENT.model_copy(update={"undersampling": AsAcquired()})
    for step in steps():
        assert step.reference is not None
        assert torch.equal(step.reference, prepare(OPENED.scan, EXPERIMENT, 1, StageCache()).combined)
    (first, *_) = snapshots(replace(JOB, experiment=everything), StageCache())
    assert first.reference is None


def test_a_run_stops_at_its_target_and_can_be_repeated() -> None:
    *_, last = snapshots(replace(JOB, target=30.0), StageCache())
    assert last.result.complete
    n_probes = last.result.experiment.variance.n_probes
    assert 2 <= n_probes < 8
    *_, again = snapshots(replace(JOB, experiment=last.result.experiment), StageCache())
    variances = [each.result.estimate.channels["complex"].variance for each in (again, last)]
    assert torch.equal(*variances)


def test_a_target_out_of_reach_runs_to_the_end() -> None:
    *_, last = snapshots(replace(JOB, target=0.01), StageCache())
    assert last.result.experiment == EXPERIMENT


def test_a_result_cut_short_is_that_of_fewer_probes() -> None:
    cut = up_to_here(steps()[3].result)
    *_, again = snapshots(replace(JOB, experiment=cut.experiment), StageCache())
    assert cut.complete
    assert torch.equal(again.result.estimate.variance_magnitude, cut.estimate.variance_magnitude)


def test_what_cannot_be_cut_short() -> None:
    with pytest.raises(ValueError, match="no variance yet"):
        up_to_here(steps()[0].result)
    exact = steps()[3].result
    exact = replace(exact, experiment=exact.experiment.model_copy(update={"variance": Exact()}))
    with pytest.raises(ValueError, match="let the run go on"):
        up_to_here(exact)


def test_what_is_kept_of_a_run_that_ends_early() -> None:
    image, look, first, second, *_ = steps()
    assert kept(image) is None
    assert kept(look) is None
    cut = kept(second)
    assert cut is not None
    assert cut.final
    assert cut.result.complete
    alone = replace(first.result, estimate=replace(first.result.estimate, n_samples=1))
    assert kept(replace(first, result=alone)) is None
    lattice = replace(JOB, experiment=EXPERIMENT.model_copy(update={"variance": LatticeProbing(target=0.1)}))
    _image, _look, early, *_ = snapshots(lattice, StageCache())
    assert not early.final
    unfinished = kept(early)
    assert unfinished is not None
    assert unfinished.final
    assert not unfinished.result.complete
    assert unfinished.result is early.result
    assert loaded(early.result, 7).final


def test_the_device_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "torch finds no GPU" in device_note(EXPERIMENT)
    assert "as chosen" in device_note(EXPERIMENT.model_copy(update={"device": "cpu"}))
    assert "set device to auto" in device_note(EXPERIMENT.model_copy(update={"device": "cuda"}))


def test_a_result_from_a_file_cannot_be_run_without_its_scan() -> None:
    with pytest.raises(ValueError, match="run 4 is not open"):
        list(snapshots(loaded(steps()[-1].result, 4).job, StageCache()))


def test_threads_that_share_a_cache_make_a_value_once() -> None:
    cache, made = SharedCache(), []

    def make() -> int:
        time.sleep(0.05)
        made.append(1)
        return 7

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda _: cache.get("key", make), range(4))) == [7] * 4
    assert made == [1]


def test_the_first_gradient_of_a_run_imports_nothing_after_what_is_computed_ahead() -> None:
    program = """
import sys
import torch
from mri_noise.session.jobs import SharedCache, ahead
from tests.session.test_jobs import EXPERIMENT, OPENED
list(ahead(OPENED, 1, EXPERIMENT, SharedCache()))
before = set(sys.modules)
source = torch.ones(2, dtype=torch.complex64, requires_grad=True)
torch.autograd.grad(2 * source, source, torch.ones_like(source))
print(len(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


def test_what_is_computed_ahead_is_there_for_the_run() -> None:
    cache = StageCache()
    first, *others = ahead(OPENED, 1, EXPERIMENT, cache)
    assert len(others) == 2 and all(each is first for each in others)
    assert first is prepare(OPENED.scan, EXPERIMENT, 1, cache)
    before = dict(cache._entries)
    assert {"prepared", "reconstructor"} <= {key[0] for key in before}
    list(snapshots(JOB, cache))
    assert all(cache._entries[key] is value for key, value in before.items())
    assert not [key for key in cache._entries if key[0] in ("prepared", "reconstructor") and key not in before]
