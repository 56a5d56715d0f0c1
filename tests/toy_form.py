"""What the form of an experiment offers in the environment that a toy distribution is installed in.

    python toy_form.py '{"reconstruction": "toy-network", ...}'

Chooses these kinds, and prints a line of JSON: how the menus call them and which fields they have, and the values.
"""

import json
import os
import sys

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from qtpy.QtWidgets import QApplication

from mri_noise.experiment import Experiment
from mri_noise.plugin.forms.forms import SettingsForm

application = QApplication([])
form = SettingsForm(Experiment)
found = {}
for name, kind in json.loads(sys.argv[1]).items():
    editor = form.editors[name]
    editor._menu.value = kind
    found[name] = [editor._menu.native.currentText(), list(editor._form(kind).editors)]
print(json.dumps([found, form.value.model_dump(mode="json", include=set(found))]))
