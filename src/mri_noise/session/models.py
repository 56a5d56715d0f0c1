"""The reconstructions that a menu offers, and what they are called on screen."""

from mri_noise.recon.choices import Reconstruction
from mri_noise.recon.weights.checkpoint import Checkpoint
from mri_noise.recon.weights.shipped import SHIPPED_NAMES, Shipped

NETWORKS = {
    "MoDL": Shipped(name="modl"),
    "MoDL, self-supervised (SSDU)": Shipped(name="modl-ssdu"),
    "MoDL, Noise2Recon": Shipped(name="modl-n2r"),
    "MoDL, VORTEX": Shipped(name="modl-vortex"),
    "unrolled network": Shipped(name="unrolled"),
    "VarNet": Shipped(name="varnet"),
    "U-Net": Shipped(name="unet"),
}
"""The trained networks that come with the package, by title."""

KIND_TITLES = {
    "cg-sense": "CG-SENSE",
    "checkpoint": "own weights …",
    "modl": "MoDL, random weights",
    "unet": "U-Net, random weights",
    "unrolled": "unrolled network, random weights",
    "varnet": "VarNet, random weights",
    "varnet-image": "image VarNet, random weights",
    "zero-filled": "zero-filled",
}
"""What each kind of reconstruction is called, where it is no network of the package."""

RARE_KINDS = frozenset({"shipped", "modl", "unet", "unrolled", "varnet", "varnet-image"})
"""What a menu need not offer: networks without weights; and those of the package, which it offers by title."""


def title_of_model(choice: Reconstruction) -> str:
    """What a reconstruction is called in a sentence and in the name of a layer."""
    if isinstance(choice, Checkpoint):
        return choice.path.stem
    titles = [title for title, network in NETWORKS.items() if network == choice]
    return titles[0] if titles else KIND_TITLES[choice.kind]


def choice_of_model(name: str) -> dict[str, str]:
    """Plain settings of the reconstruction that a name stands for: a network of the package, or a kind."""
    return {"kind": "shipped", "name": name} if name in SHIPPED_NAMES else {"kind": name}


def model_of_title(title: str) -> dict[str, str]:
    """Plain settings of the reconstruction that is called so on screen."""
    if title in NETWORKS:
        return choice_of_model(NETWORKS[title].name)
    return choice_of_model({called: kind for kind, called in KIND_TITLES.items()}[title])
