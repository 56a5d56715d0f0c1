"""The reconstructions that a menu offers, by what they are called."""

from mri_noise.recon.reconstruction import Reconstruction
from mri_noise.recon.weights.shipped import SHIPPED_NAMES


def choice_of_model(name: str) -> dict[str, str]:
    """Plain settings of the reconstruction that a name stands for: a network of the package, or a kind."""
    return {"kind": "shipped", "name": name} if name in SHIPPED_NAMES else {"kind": name}


def model_of_title(title: str) -> Reconstruction:
    """The reconstruction that is called so on screen, a network of the package or a kind by its defaults.

    Raises
    ------
    ValueError
        If none is called so.
    """
    for cls in Reconstruction.alternatives():
        presets = cls.presets()
        if title in presets:
            return presets[title]
        if title == cls.title_of_class():
            return cls.parse({})
    raise ValueError(f"no reconstruction is called '{title}'; choose one of the menu")
