"""A small picture of which points of k-space a scan has, and which of them are kept."""

from collections.abc import Iterator

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QWidget

from mri_noise.acquisition.masks import Undersampling
from mri_noise.plugin.worker import Handlers, Runner
from mri_noise.session.identities import Identity, identity
from mri_noise.session.jobs import OpenedScan
from mri_noise.session.scans import SampledPoints, sampled_points

_WIDTH, _HEIGHT = 128, 64  # [pixel]: lines along the columns are told apart where there are not too many
_NOT_ACQUIRED, _DROPPED, _KEPT = (0, 0, 0), (72, 96, 150), (255, 255, 255)
_LEGEND = "White: kept. Blue: acquired, and dropped by the mask. Black: not acquired."


class MaskPicture(QWidget):
    """What an undersampling keeps of a slice, drawn in a thread: some masks take a second to find."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = Runner()
        self._picture, self.text = QLabel(), QLabel()
        self._picture.setFixedSize(_WIDTH, _HEIGHT)
        self.text.setWordWrap(True)
        self.setToolTip(_LEGEND)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._picture)
        layout.addWidget(self.text, 1)
        self._asked: tuple[Undersampling, Identity, str, int] | None = None

    def show_mask(self, undersampling: Undersampling, opened: OpenedScan | None, index: int) -> None:
        """Draw the points of a slice, if they are not drawn already; none without a scan."""
        if opened is None:
            self._clear()
            return
        asked = undersampling, identity(opened), opened.scan.fingerprint, index
        if asked == self._asked:
            return
        self._asked, scan = asked, opened.scan

        def make() -> Iterator[SampledPoints]:
            yield sampled_points(scan[index], undersampling, scan.phase_encode_axes)

        self._runner.start(make, Handlers(self._draw, _nothing, _nothing, self._cannot))

    def leave(self) -> None:
        """Draw nothing any more."""
        self._runner.leave()

    def _draw(self, points: SampledPoints) -> None:
        tones = np.array([_NOT_ACQUIRED, _DROPPED, _KEPT], dtype=np.uint8)
        pixels = np.ascontiguousarray(tones[points.acquired.numpy().astype(int) + points.kept.numpy()])
        rows, columns, _ = pixels.shape
        image = QImage(pixels.tobytes(), columns, rows, 3 * columns, QImage.Format.Format_RGB888)
        fill, how = Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode
        smoothed = how.SmoothTransformation if columns > _WIDTH or rows > _HEIGHT else how.FastTransformation
        self._picture.setPixmap(QPixmap.fromImage(image).scaled(_WIDTH, _HEIGHT, fill, smoothed))
        self.text.setText(points.words)

    def _clear(self) -> None:
        self._asked = None
        self._runner.cancel()
        self._picture.clear()
        self.text.clear()

    def _cannot(self, sentence: str) -> None:
        self._picture.clear()
        self.text.setText(sentence)


def _nothing() -> None:
    """Do nothing: there is nothing to tidy up after a mask."""
