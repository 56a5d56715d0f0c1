from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from mri_noise.acquisition.masks import AsAcquired, Equispaced, PoissonDisc
from mri_noise.acquisition.noise_sources import NoiseLevel
from mri_noise.experiment import Experiment
from mri_noise.plugin.forms.forms import Offer, SettingsForm
from mri_noise.plugin.widgets.sections import Section
from mri_noise.recon.linear import CGSense, ZeroFilled
from mri_noise.recon.networks.unet import UNetSettings
from mri_noise.recon.weights.checkpoint import Checkpoint
from mri_noise.roi import Ellipse
from mri_noise.settings import Settings, SettingsError
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
    presets = {"brain, 4-fold": Checkpoint(path=Path("shipped.safetensors"))}
    form = SettingsForm(Experiment, {"reconstruction": Offer(presets, frozenset({"unet"}))})
    qtbot.addWidget(form.native)
    model = form.editors["reconstruction"]
    assert model._menu.choices[0] == "brain, 4-fold"
    assert "unet" not in model._menu.choices
    form.value = Experiment(reconstruction=Checkpoint(path=Path("shipped.safetensors")))
    assert model._menu.value == "brain, 4-fold"
    form.value = Experiment(reconstruction=ZeroFilled())
    assert model.value == ZeroFilled()
    form.value = Experiment(reconstruction=UNetSettings(n_channels=4))
    assert model.value == UNetSettings(n_channels=4)
    assert model._menu.native.currentText() == "U-Net, random weights"


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
