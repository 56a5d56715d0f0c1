import subprocess
import sys

from npe2 import PluginManager, PluginManifest

from mri_noise.experiment import Experiment
from mri_noise.plugin.preferences import preferences, preferred_experiment
from mri_noise.recon.linear import CGSense, ZeroFilled
from mri_noise.recon.weights.shipped import Shipped
from mri_noise.session.models import model_of_title
from mri_noise.variance.lattice.magnitude import LatticeProbing

NAME = "napari-mri-noise"


def test_the_manifest_leads_to_what_exists() -> None:
    manifest = PluginManifest.from_distribution(NAME)
    manifest.validate_imports()
    contributions = manifest.contributions
    groups = (contributions.readers, contributions.writers, contributions.sample_data, contributions.widgets)
    used = {each.command for group in groups for each in group}
    assert used == {command.id for command in contributions.commands}


def test_registration_imports_no_torch() -> None:
    script = (
        "import sys; from npe2 import PluginManager; manager = PluginManager.instance(); manager.discover();"
        f"assert '{NAME}' in manager; list(manager.iter_widgets()); print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split()[-1] == "False"


def test_napari_starts_without_torch() -> None:
    script = (
        "import sys; from napari import Viewer; from npe2 import PluginManager; viewer = Viewer(show=False);"
        f"assert '{NAME}' in PluginManager.instance(); viewer.close(); print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split()[-1] == "False"


def test_preferences_make_the_first_experiment(npe2pm: PluginManager) -> None:
    with npe2pm.tmp_plugin(manifest=PluginManifest.from_distribution(NAME)):
        chosen = preferences()
        first = preferred_experiment()
        chosen.defaults.model = "zero-filled"
        chosen.defaults.target = 4
        experiment = preferred_experiment()
        chosen.defaults.model, chosen.defaults.target = "MoDL", 3
    assert first.reconstruction == Shipped(name="modl")
    assert experiment.reconstruction == ZeroFilled()
    assert experiment.variance == LatticeProbing(target=0.04)


def test_the_preferences_offer_every_network_of_the_package_by_its_title() -> None:
    defaults = PluginManifest.from_distribution(NAME).contributions.configurations["defaults"]
    offered = [Experiment.parse({"reconstruction": model_of_title(each)}) for each in defaults.properties["model"].enum]
    assert [experiment.reconstruction for experiment in offered] == [
        *Shipped.presets().values(),
        CGSense(),
        ZeroFilled(),
    ]
