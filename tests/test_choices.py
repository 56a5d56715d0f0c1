"""The registry of kinds; distributions that join it are installed for real in ``test_distribution.py``."""

import pickle  # noqa: TID251 - what the test itself has pickled
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from mri_noise.acquisition.masks import AsAcquired, Equispaced
from mri_noise.arrays import Image, KSpace
from mri_noise.choices import _OWN, Absent, Choosable, UnknownKind, Untrusted, code_in, kinds, load, trusting
from mri_noise.experiment import Experiment
from mri_noise.io.format import Format
from mri_noise.operators.cartesian import Sense
from mri_noise.phantom.simulation import Phantom
from mri_noise.pipeline import run
from mri_noise.recon.linear import CGSense, ZeroFilled, ZeroFilledReconstructor
from mri_noise.recon.python import PythonReconstruction
from mri_noise.recon.reconstruction import NetworkSettings, Reconstruction
from mri_noise.recon.weights.checkpoint import Checkpoint, load_network, save_network
from mri_noise.settings import Origin, Settings, SettingsError, override
from mri_noise.variance.sampling.sketch import Sketch

FROM_FILE = Origin(is_file=True)
SAVED = Origin(is_file=True, keeps_absent=True)


class Halved(Reconstruction):
    """Half the zero-filled image."""

    kind: Literal["halved"] = "halved"

    def __call__(self) -> Any:
        whole = ZeroFilledReconstructor(ZeroFilled())
        return lambda kspace, encoding: whole(kspace, encoding) / 2


@pytest.mark.parametrize(("group", "kind"), [(group, kind) for group in _OWN for kind in _OWN[group]])
def test_every_kind_of_the_package_is_what_its_class_says(group: Any, kind: str) -> None:
    found = load(group, kind)
    if group == "formats":
        assert isinstance(found, Format)
    else:
        assert (found.group, found.kind_of_class()) == (group, kind)


def test_every_final_choice_of_the_package_is_listed() -> None:
    for group in _OWN:
        if group != "formats":
            base = load(group, kinds(group)[0]).__mro__
            assert all(each.group == group for each in base if issubclass(each, Choosable) and each is not Choosable)
    listed = {load(group, kind) for group in _OWN if group != "formats" for kind in kinds(group)}
    assert {cls for cls in _final(Choosable) if cls.__module__.startswith("mri_noise.")} <= listed


def _final(cls: type[Choosable]) -> set[type[Choosable]]:
    below = {each for sub in cls.__subclasses__() for each in _final(sub)}
    own = set() if cls.__abstractmethods__ or issubclass(cls, Absent) else {cls}
    return below | own


def test_an_unknown_kind_is_said_with_those_there_are() -> None:
    with pytest.raises(
        UnknownKind, match="no kind 'spiral' of undersampling; expected one of: as-acquired, equispaced"
    ):
        load("undersampling", "spiral")
    with pytest.raises(SettingsError, match=r"undersampling\.kind': got 'equispcaed'; did you mean 'equispaced'\?"):
        Experiment.parse({"undersampling": {"kind": "equispcaed"}})


def test_an_instance_is_taken_where_a_kind_is_and_runs() -> None:
    scan = Phantom(matrix=(24, 20), n_coils=3, n_slices=1)()
    settings = {"undersampling": Equispaced(acceleration=2, n_calibration=8), "variance": Sketch(n_probes=4)}
    halved, whole = ([*run(scan, Experiment(reconstruction=each, **settings))][-1] for each in (Halved(), ZeroFilled()))
    torch.testing.assert_close(halved.image, whole.image / 2)
    assert halved.experiment.reconstruction.label == "halved"
    assert halved.experiment.model_dump()["reconstruction"] == {"kind": "halved"}


def test_an_instance_of_another_group_is_refused() -> None:
    with pytest.raises(ValidationError, match="expected a mapping with a 'kind'"):
        Experiment(reconstruction=AsAcquired())


def test_a_choice_may_be_narrower_than_its_group() -> None:
    class Training(Settings):
        network: NetworkSettings

    assert Training.parse({"network": {"kind": "unet"}}).network.kind == "unet"
    with pytest.raises(SettingsError, match=r"network\.kind': got 'cg-sense'; expected one of: .*modl.*unet"):
        Training.parse({"network": {"kind": "cg-sense"}})


def test_what_is_not_installed_is_kept_as_it_was_saved() -> None:
    saved = {"reconstruction": {"kind": "gone", "depth": 3, "widths": [1, 2]}}
    experiment = Experiment.parse(saved, SAVED)
    choice = experiment.reconstruction
    assert isinstance(choice, Absent)
    assert isinstance(choice, Reconstruction)
    assert experiment.model_dump(mode="json")["reconstruction"] == saved["reconstruction"]
    assert pickle.loads(pickle.dumps(experiment)) == experiment
    with pytest.raises(ValueError, match="the reconstruction 'gone' is not installed here; install the package"):
        choice()
    with pytest.raises(SettingsError, match="got 'gone'"):
        Experiment.parse(saved, FROM_FILE)


MODULE = """
import sys
sys.imported = getattr(sys, "imported", 0) + 1
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(__import__("torch").tensor(2.0))

    def forward(self, kspace, encoding):
        return self.gain * encoding.adjoint(kspace)

def number():
    return 3

def broken():
    raise RuntimeError("no luck")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that can be imported, and that nobody has imported."""
    (tmp_path / "users_own_network.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "users_own_network", raising=False)
    monkeypatch.delattr(sys, "imported", raising=False)
    return "users_own_network"


def test_python_code_of_the_callers_own_makes_a_network(module: str) -> None:
    network = PythonReconstruction(target=f"{module}:Net")()
    assert isinstance(network, nn.Module)
    encoding = Sense(torch.ones(1, 4, 5, dtype=torch.complex64), torch.ones(4, 5, dtype=torch.bool))
    kspace = torch.randn(1, 4, 5, dtype=torch.complex64)
    torch.testing.assert_close(network(kspace, encoding), 2 * encoding.adjoint(kspace))


@pytest.mark.parametrize("says", [{}, {"trust_code": True}], ids=["a file", "a file that says yes itself"])
def test_python_code_that_a_file_names_is_not_imported_unasked(module: str, says: dict[str, Any]) -> None:
    values = {"reconstruction": {"kind": "python", "target": f"{module}:Net", **says}}
    experiment = override(Experiment.parse(values, FROM_FILE), ["seed=3"])
    assert code_in(experiment) == (f"{module}:Net",)
    with pytest.raises(Untrusted, match=f"names Python code to run, '{module}:Net'; it runs after a yes: --trust-code"):
        experiment.reconstruction()
    assert module not in sys.modules
    assert not hasattr(sys, "imported")
    agreed = trusting(experiment)
    assert code_in(agreed) == ()
    agreed.reconstruction()
    assert sys.imported == 1  # type: ignore[attr-defined]


def test_weights_that_name_python_code_ask_too(module: str, tmp_path: Path) -> None:
    settings = PythonReconstruction(target=f"{module}:Net")
    save_network(settings(), tmp_path / "w", {}, settings)
    del sys.modules[module], sys.imported  # type: ignore[attr-defined]
    checkpoint = Checkpoint(path=tmp_path / "w")
    assert code_in(Experiment(reconstruction=checkpoint)) == (f"{module}:Net",)
    with pytest.raises(Untrusted):
        checkpoint()
    assert not hasattr(sys, "imported")
    assert load_network(tmp_path / "w", trust_code=True).gain == 2
    assert code_in(trusting(Experiment(reconstruction=checkpoint))) == ()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_module:make", "cannot make the reconstruction 'no_such_module:make': ModuleNotFoundError"),
        ("users_own_network:absent", "AttributeError"),
        ("users_own_network:broken", "RuntimeError: no luck"),
        ("users_own_network:number", "should return a network or another callable .*, it returned int"),
    ],
)
def test_python_code_that_fails_is_said_in_a_sentence(module: str, target: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PythonReconstruction(target=target)()


@pytest.mark.parametrize("target", ["", "module", "module:", ":make", "a b:make", "os:system('x')", "../x:make"])
def test_a_target_of_another_form_is_refused(target: str) -> None:
    with pytest.raises(SettingsError, match=r"should be of the form package\.module:make"):
        Experiment.parse({"reconstruction": {"kind": "python", "target": target}})


def test_a_user_s_callable_need_not_be_a_module(module: str) -> None:
    def reconstruct(kspace: KSpace, encoding: Sense) -> Image:
        return encoding.adjoint(kspace)

    sys.modules[module] = type(sys)(module)
    sys.modules[module].make = lambda: reconstruct  # type: ignore[attr-defined]
    assert PythonReconstruction(target=f"{module}:make")() is reconstruct
    assert CGSense().code is None
