"""Exit with a message if this environment can import napari or Qt, which the core must do without."""

import sys
from importlib.util import find_spec

GUI = ("napari", "magicgui", "superqt", "qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6")

if found := [name for name in GUI if find_spec(name)]:
    sys.exit(f"this environment should hold neither napari nor Qt, but {', '.join(found)} can be imported; remove it")
