"""A small picture of the sampling mask."""

from collections.abc import Iterator

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QWidget

from mri_noise.arrays import Mask
from mri_noise.masks import Undersampling
from mri_noise.plugin.worker import Handlers, Runner
from mri_noise.session.jobs import OpenedScan
from mri_noise.variance.maps import acceleration

_SIDE = 64


class MaskPicture(QWidget):
    """The mask that an undersampling makes of a scan, drawn in a thread: some masks take a second to find."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = Runner()
        self._picture, self.text = QLabel(), QLabel()
        self._picture.setFixedSize(_SIDE, _SIDE)
        self.text.setWordWrap(True)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._picture)
        layout.addWidget(self.text, 1)
        self._asked: tuple[Undersampling, str] | None = None

    def show_mask(self, undersampling: Undersampling, opened: OpenedScan | None) -> None:
        """Draw the mask of a scan, if it is not drawn already."""
        asked = None if opened is None else (undersampling, opened.scan.fingerprint)
        if opened is None or asked == self._asked:
            return
        self._asked = asked
        scan = opened.scan

        def make() -> Iterator[Mask]:
            yield undersampling(scan.matrix, scan.phase_encode_axes)

        self._runner.start(make, Handlers(self._draw, _nothing, _nothing, self._cannot))

    def leave(self) -> None:
        """Draw nothing any more."""
        self._runner.leave()

    def _draw(self, mask: Mask) -> None:
        pixels = np.ascontiguousarray(mask.numpy() * np.uint8(255))
        rows, columns = pixels.shape
        image = QImage(pixels.tobytes(), columns, rows, columns, QImage.Format.Format_Grayscale8)
        keep = Qt.AspectRatioMode.KeepAspectRatio
        smooth = Qt.TransformationMode.SmoothTransformation
        self._picture.setPixmap(QPixmap.fromImage(image).scaled(_SIDE, _SIDE, keep, smooth))
        share = 100 * int(mask.sum()) / mask.numel()
        self.text.setText(f"R = {acceleration(mask):.2f}\nkeeps {share:.0f} % of k-space\n{rows} x {columns} points")

    def _cannot(self, sentence: str) -> None:
        self._picture.clear()
        self.text.setText(sentence)


def _nothing() -> None:
    """Do nothing: there is nothing to tidy up after a mask."""
