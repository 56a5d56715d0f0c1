from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QTextEdit, QVBoxLayout, QWidget

from mri_noise.plugin.widgets.sections import StatusLine
from mri_noise.session.state import Status
from tests.plugin.users import PATIENCE


def test_the_last_line_of_a_sentence_is_not_cut_in_a_low_dock(qtbot: QtBot) -> None:
    dock, line = QWidget(), StatusLine()
    qtbot.addWidget(dock)
    rows = QVBoxLayout(dock)
    rows.addWidget(QTextEdit(), 1)
    rows.addWidget(line)
    dock.setFixedSize(300, 200)
    dock.show()
    line.show_status(Status("done", "The map is done. " * 20))
    qtbot.waitUntil(lambda: line.text.height() >= line.text.heightForWidth(line.text.width()) > 60, timeout=PATIENCE)
    line.show_status(Status("done", "Done."))
    qtbot.waitUntil(lambda: line.text.height() < 60, timeout=PATIENCE)
