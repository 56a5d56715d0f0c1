"""The layouts of weights that others publish, recognised by the names of their tensors."""

from collections.abc import Callable, Mapping

from torch import nn

from mri_noise.recon.state_dict import StateDict
from mri_noise.recon.weights import layouts_fastmri, layouts_meddlr

_N_SHOWN = 3

LAYOUTS: Mapping[str, Callable[[StateDict], nn.Module | None]] = {
    "fastMRI VarNet": layouts_fastmri.varnet,
    "fastMRI U-Net": layouts_fastmri.unet,
    "meddlr unrolled network": layouts_meddlr.unrolled,
    "meddlr U-Net": layouts_meddlr.unet,
}
"""Each makes the network of its tensors, or returns None if they are not in its layout."""


def recognise(tensors: StateDict) -> nn.Module:
    """Make the network that the tensors are of, with sizes read off their shapes.

    Raises
    ------
    ValueError
        If the layout is unknown, or a known one has parts that are missing or not supported.
    """
    for load in LAYOUTS.values():
        network = load(tensors)
        if network is not None:
            return network
    shown = ", ".join(list(tensors)[:_N_SHOWN])
    raise ValueError(
        f"its {len(tensors)} tensors ({shown}, ...) are in an unknown layout; "
        f"supported are weights saved by this project, {', '.join(LAYOUTS)}"
    )
