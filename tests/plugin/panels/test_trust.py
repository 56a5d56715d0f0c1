import sys
from pathlib import Path

import pytest
from napari import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QMessageBox

from mri_noise.choices import code_in
from mri_noise.io.results import load_results
from mri_noise.plugin.docks.noise_dock import NoiseDock
from tests.plugin.users import QUICK, finish, open_dock, open_sample

MODULE = """
import sys
from mri_noise.recon.linear import ZeroFilled
sys.imported_by_a_file = True

def make():
    return ZeroFilled()()
"""


@pytest.fixture
def named_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An experiment that names code; nobody has imported it."""
    (tmp_path / "code_of_a_file.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "code_of_a_file", raising=False)
    monkeypatch.delattr(sys, "imported_by_a_file", raising=False)
    text = QUICK.to_yaml().split("reconstruction:")[0] + "reconstruction: {kind: python, target: 'code_of_a_file:make'}"
    (tmp_path / "experiment.yaml").write_text(f"{text}\nvariance: {{kind: sketch, n_probes: 2}}\n", encoding="utf-8")
    return tmp_path / "experiment.yaml"


def _answer(monkeypatch: pytest.MonkeyPatch, answer: QMessageBox.StandardButton) -> list[str]:
    asked: list[str] = []

    def question(_parent: object, _title: str, words: str, *_: object) -> QMessageBox.StandardButton:
        asked.append(words)
        return answer

    monkeypatch.setattr(QMessageBox, "question", question)
    return asked


def test_code_of_a_file_runs_after_a_yes_alone(
    qtbot: QtBot, viewer: Viewer, named_code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dock: NoiseDock = open_dock(viewer, "MRI noise")
    open_sample(viewer, dock)
    dock.take_away.load_experiment(named_code)
    asked = _answer(monkeypatch, QMessageBox.StandardButton.No)
    dock.run()
    finish(qtbot, dock)
    assert len(asked) == 1
    assert "code_of_a_file:make" in asked[0]
    assert not dock.shared.session.runs
    assert not hasattr(sys, "imported_by_a_file")
    asked = _answer(monkeypatch, QMessageBox.StandardButton.Yes)
    dock.run()
    finish(qtbot, dock)
    assert len(dock.shared.session.runs) == 1
    assert hasattr(sys, "imported_by_a_file")
    dock.run()
    finish(qtbot, dock)
    assert len(asked) == 1
    dock.take_away.save_results(tmp_path / "out.h5")
    (saved,) = load_results(tmp_path / "out.h5")
    assert code_in(saved.experiment) == ("code_of_a_file:make",)
