"""The k-space that a network predicts, sampled or not."""

from mri_noise.arrays import KSpace
from mri_noise.operators.cartesian import CartesianEncoding
from mri_noise.operators.fourier import centered_fft
from mri_noise.recon.reconstructor import Reconstructor


def predicted_kspace(network: Reconstructor, kspace: KSpace, encoding: CartesianEncoding) -> KSpace:
    """Return all of the multi-coil k-space that a network predicts.

    It is F S x for a network whose image x is of the encoding's coil maps. A VarNet has maps of its own and predicts
    k-space itself.

    Raises
    ------
    ValueError
        If the network's image is a magnitude, of which no k-space can be told.
    """
    predict = getattr(network, "predict_kspace", None)
    if predict is not None:
        return predict(kspace, encoding)
    require_image_of_maps(network)
    image = network(kspace, encoding)
    return centered_fft(encoding.coil_maps * image.unsqueeze(-3))


def require_image_of_maps(network: Reconstructor) -> None:
    """Raise ValueError for a network whose image x does not explain k-space as A x."""
    if hasattr(network, "predict_kspace"):
        raise ValueError(
            "an affine augmentation needs an image of the example's coil maps, but this network learns maps of its "
            "own; leave the affine augmentation out or use another network"
        )
    if getattr(network, "of_magnitudes", False):
        raise ValueError(
            "this objective predicts k-space, for which a U-Net of magnitudes (in_channels 1) has no phase; "
            "set network.in_channels to 2 or choose another objective"
        )
