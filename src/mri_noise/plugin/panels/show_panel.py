"""What is shown of the run: components, more maps, the correlation of a voxel."""

from functools import partial

from napari.layers import Image
from napari.utils.notifications import show_info
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from mri_noise.plugin.canvas.layers import show_component
from mri_noise.plugin.forms.editors import leave_wheel_to_scrolling
from mri_noise.plugin.panels.correlation import Correlation
from mri_noise.plugin.panels.film import FilmPanel
from mri_noise.plugin.preferences import shaped
from mri_noise.plugin.widgets.sections import buttons
from mri_noise.plugin.window import Window
from mri_noise.session.components import COMPONENTS
from mri_noise.session.layer_data import ON_DEMAND_QUANTITIES, QUANTITIES, map_layer

_ADD = "add a map …"
_SHORT = {"magnitude": "mag", "phase": "phase", "real": "real", "imaginary": "imag", "log magnitude": "log"}


class ShowPanel(QWidget):
    """Buttons of the components, a menu of further maps, and a switch for the correlation of a clicked voxel."""

    def __init__(self, shared: Window) -> None:
        super().__init__()
        self._shared = shared
        self._maps = QComboBox()
        self._maps.addItems([_ADD, *(QUANTITIES[key].title for key in ON_DEMAND_QUANTITIES)])
        self._maps.setToolTip("Add another map of the run that is shown")
        self._maps.activated.connect(self._add)
        leave_wheel_to_scrolling(self._maps)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._component_buttons())
        layout.addWidget(self._maps)
        self.correlation = Correlation(shared)
        layout.addWidget(self.correlation)
        self.film = FilmPanel(shared)
        layout.addWidget(self.film)

    def _add(self, row: int) -> None:
        shown = self._shared.session.shown
        self._maps.setCurrentIndex(0)
        if row > 0 and shown is not None and shown.result.estimate is not None:
            quantity = QUANTITIES[ON_DEMAND_QUANTITIES[row - 1]]
            if not quantity.known(shown.result):
                show_info(f"{shown.job.name} has no {quantity.title}; run it with the Jacobian sketch or Monte Carlo.")
                return
            shelf = self._shared.shelf
            shelf.forget_deleted(quantity.key)
            shelf.show([shaped(map_layer(shown.result, shown.job.name, quantity))], shown.result)
            if not self._shared.viewer.canvas.grid.enabled:
                shelf.put_on_top(quantity.key)

    def show_component(self, name: str) -> None:
        """Show a component of the selected layers."""
        for layer in self._shared.viewer.layers.selection:
            if isinstance(layer, Image):
                show_component(layer, name)

    def _component_buttons(self) -> QWidget:
        return buttons(
            *(
                (
                    _SHORT[name],
                    f"Show the {name} of the selected layer (key {each.key})",
                    partial(self.show_component, name),
                )
                for name, each in COMPONENTS.items()
            )
        )
