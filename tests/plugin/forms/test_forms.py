from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import torch
from pydantic import Field
from pytestqt.qtbot import QtBot

from mri_noise.acquisition.masks import AsAcquired, Equispaced, PoissonDisc, Undersampling
from mri_noise.acquisition.noise_sources import NoiseLevel
from mri_noise.arrays import Mask
from mri_noise.choices import code_in
from mri_noise.experiment import Experiment
from mri_noise.plugin.forms.forms import SettingsForm
from mri_noise.plugin.widgets.sections import Section
from mri_noise.recon.linear import CGSense, ZeroFilled
from mri_noise.recon.networks.unet import UNetSettings
from mri_noise.recon.weights.checkpoint import Checkpoint
from mri_noise.recon.weights.shipped import Shipped
from mri_noise.roi import Ellipse
from mri_noise.settings import Origin, Settings, SettingsError
from mri_noise.variance.lattice.magnitude import LatticeProbing
from mri_noise.variance.sampling.exact import Exact
from mri_noise.variance.sampling.sketch import Sketch
from tests.test_house import example, settings_classes

CHANGED = Experiment(
    undersampling=PoissonDisc(acceleration=6.125, n_calibration=0, seed=2**32 - 1),
    noise=NoiseLevel(level=3.0000000000000004e-07),
    noise_scale=1 / 3,
    prewhiten=False,
    reconstruction=Checkpoint(path=Path("/somewhere/it's.safetensors")),
    variance=Exact(batch=3),
    rois=(Ellipse(name="a: b", center=(1, 2), radii=(3, 4.5)),),
    device="cpu",
)


@pytest.mark.parametrize("cls", settings_classes(), ids=lambda cls: cls.__name__)
def test_every_settings_class_survives_its_form(qtbot: QtBot, cls: Any) -> None:
    value = example(cls)
    form = SettingsForm(cls)
    qtbot.addWidget(form.native)
    form.value = value
    assert form.value == value


@pytest.mark.parametrize("value", [Experiment(), CHANGED], ids=["default", "changed"])
def test_an_experiment_survives_its_form(qtbot: QtBot, value: Settings) -> None:
    form = SettingsForm(Experiment)
    qtbot.addWidget(form.native)
    assert form.value == Experiment()
    form.value = value
    assert form.value == value


def test_each_kind_remembers_its_entries(qtbot: QtBot) -> None:
    form = SettingsForm(Experiment)
    qtbot.addWidget(form.native)
    undersampling = form.editors["undersampling"]
    undersampling.value = Equispaced(acceleration=3)
    undersampling.value = AsAcquired()
    undersampling._menu.value = "equispaced"
    assert undersampling.value == Equispaced(acceleration=3)


def test_presets_are_offered_by_name(qtbot: QtBot) -> None:
    form = SettingsForm(Experiment)
    qtbot.addWidget(form.native)
    model = form.editors["reconstruction"]
    assert model._menu.choices[0] == "MoDL"
    assert not {"unet", "shipped"} & set(model._menu.choices)
    form.value = Experiment(reconstruction=Shipped(name="modl-n2r"))
    assert model._menu.value == "MoDL, Noise2Recon"
    form.value = Experiment(reconstruction=ZeroFilled())
    assert model.value == ZeroFilled()
    form.value = Experiment(reconstruction=UNetSettings(n_channels=4))
    assert model.value == UNetSettings(n_channels=4)
    assert model._menu.native.currentText() == "U-Net, random weights"


class Mine(Undersampling):
    """The first line."""

    title: ClassVar[str] = "mine alone"
    kind: Literal["mine"] = "mine"
    line: int = Field(0, ge=0, description="Which")

    def __call__(self, shape: tuple[int, int], phase_encode_axes: tuple[int, ...]) -> Mask:
        return torch.arange(shape[1]).expand(shape) == self.line


def test_an_instance_of_a_kind_that_no_menu_has_is_shown_and_kept(qtbot: QtBot) -> None:
    form = SettingsForm(Experiment)
    qtbot.addWidget(form.native)
    form.value = Experiment(undersampling=Mine(line=3))
    assert form.value == Experiment(undersampling=Mine(line=3))
    assert form.editors["undersampling"]._menu.native.currentText() == "mine alone"


def test_a_kind_that_is_not_installed_is_shown_and_kept(qtbot: QtBot) -> None:
    saved = {"variance": {"kind": "gone", "depth": 3}}
    value = Experiment.parse(saved, Origin(is_file=True, keeps_absent=True))
    form = SettingsForm(Experiment)
    qtbot.addWidget(form.native)
    form.value = value
    assert form.value == value
    assert form.editors["variance"]._menu.native.currentText() == "gone (not installed)"


def test_code_that_a_file_names_stays_untrusted_until_somebody_writes_another(qtbot: QtBot) -> None:
    saved = {"reconstruction": {"kind": "python", "target": "mine:make", "trust_code": True}}
    form = SettingsForm(Experiment)
    qtbot.addWidget(form.native)
    form.value = Experiment.parse(saved, Origin(is_file=True))
    assert code_in(form.value) == ("mine:make",)
    form.editors["reconstruction"]._form("python").editors["target"].value = "mine:other"
    assert code_in(form.value) == ()
    assert form.value.reconstruction.target == "mine:other"


def test_a_change_is_announced(qtbot: QtBot) -> None:
    form = SettingsForm(CGSense)
    qtbot.addWidget(form.native)
    heard: list[Settings] = []
    form.changed.connect(lambda: heard.append(form.value))
    form.editors["tikhonov"].value = 0.5
    assert heard == [CGSense(tikhonov=0.5)]


@pytest.mark.parametrize(
    ("cls", "name", "text", "message"),
    [
        (CGSense, "tikhonov", "much", "tikhonov: input should be a valid number.*got 'much'"),
        (CGSense, "tikhonov", "-1", "tikhonov: input should be greater than or equal to 0, got '-1'"),
        (NoiseLevel, "level", "", "level: .*nothing is given"),
        (Experiment, "rois", "[{kind: circle}]", "rois: .*"),
        (Experiment, "rois", "[", "rois: this is not YAML"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(
    qtbot: QtBot, cls: type[Settings], name: str, text: str, message: str
) -> None:
    form = SettingsForm(cls)
    qtbot.addWidget(form.native)
    form.editors[name].native.setText(text)
    with pytest.raises(SettingsError, match=message):
        _ = form.value


def test_a_missing_file_is_said_in_a_sentence(qtbot: QtBot) -> None:
    form = SettingsForm(Checkpoint)
    qtbot.addWidget(form.native)
    with pytest.raises(SettingsError, match="path: no file is chosen"):
        _ = form.value


def test_numbers_keep_within_their_bounds(qtbot: QtBot) -> None:
    form = SettingsForm(Sketch)
    qtbot.addWidget(form.native)
    form.editors["n_probes"].native.setValue(-5)
    assert form.value == Sketch(n_probes=1)


def test_what_hardly_anybody_changes_is_folded_away(qtbot: QtBot) -> None:
    form = SettingsForm(LatticeProbing)
    qtbot.addWidget(form.native)
    form.native.show()
    shown = {name for name, editor in form.editors.items() if editor.native.isVisible()}
    assert shown == {"target", "max_evaluations"}
    (more,) = form.native.findChildren(Section)
    more.unfold()
    assert all(editor.native.isVisible() for editor in form.editors.values())
