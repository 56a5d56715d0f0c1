from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from mri_noise.plugin.canvas.letters import Letters
from tests.plugin.users import PATIENCE


def test_letters_are_drawn_unseen_and_the_text_is_left_as_it_was(qtbot: QtBot) -> None:
    viewer = ViewerModel()
    text, drawn = viewer.canvas.overlays.text, []
    text.events.text.connect(lambda: drawn.append((text.text, text.visible, text.opacity)))
    letters = Letters(viewer)
    letters.draw_ahead()
    qtbot.waitUntil(lambda: not text.visible, timeout=PATIENCE)
    assert {"a", "Z", "0", "%", "±"} <= set("".join(value for value, _, _ in drawn))
    assert all(visible and opacity == 0 for value, visible, opacity in drawn if value)
    assert (text.text, text.opacity) == ("", 1.0)
    before = len(drawn)
    letters.draw_ahead()
    assert len(drawn) == before


def test_a_text_of_the_user_stays() -> None:
    viewer = ViewerModel()
    text = viewer.canvas.overlays.text
    text.text, text.visible = "subject 7", True
    letters = Letters(viewer)
    letters.draw_ahead()
    letters.stop()
    assert (text.text, text.visible, text.opacity) == ("subject 7", True, 1.0)


def test_a_stop_ends_it_at_once() -> None:
    viewer = ViewerModel()
    letters = Letters(viewer)
    letters.draw_ahead()
    letters.stop()
    text = viewer.canvas.overlays.text
    assert (text.text, text.visible, text.opacity) == ("", False, 1.0)
