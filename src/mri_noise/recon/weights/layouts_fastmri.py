"""The weights of fastMRI (Zbontar 2018, doi:10.48550/arXiv.1811.08839), whose parameter names are also ours."""

import re
from dataclasses import dataclass

from mri_noise.recon.networks.unet import UNetReconstructor, UNetSettings
from mri_noise.recon.networks.varnet import VarNet, VarNetSettings
from mri_noise.recon.state_dict import StateDict, count, kernel_shape, unwrapped, with_weights

UNET_MARK = r"down_sample_layers\.0\.layers\.0\.weight"
_VARNET_MARK = rf"sens_net\.norm_unet\.unet\.{UNET_MARK}"
_ZERO_BUFFER = re.compile(r"cascades\.\d+\.zero")


@dataclass(frozen=True, slots=True)
class UNetSizes:
    """The sizes of a U-Net."""

    in_channels: int
    out_channels: int
    n_channels: int
    n_pools: int


def unet_sizes(tensors: StateDict, prefix: str = "") -> UNetSizes:
    """Read the sizes of the U-Net whose tensors have a prefix off their shapes."""
    n_channels, in_channels, *_ = kernel_shape(tensors, f"{prefix}down_sample_layers.0.layers.0.weight")
    n_pools = count(tensors, f"{prefix}down_sample_layers.")
    out_channels = kernel_shape(tensors, f"{prefix}up_conv.{n_pools - 1}.1.weight")[0]
    return UNetSizes(in_channels, out_channels, n_channels, n_pools)


def unet(tensors: StateDict) -> UNetReconstructor | None:
    """Load the U-Net baseline, which maps magnitudes to magnitudes; None if the tensors are not of one."""
    own = unwrapped(tensors, UNET_MARK, "unet")
    if own is None or (sizes := unet_sizes(own)).in_channels != 1:
        return None
    settings = UNetSettings(in_channels=1, n_channels=sizes.n_channels, n_pools=sizes.n_pools)
    return with_weights(settings, {f"unet.{name}": tensor for name, tensor in own.items()})


def varnet(tensors: StateDict) -> VarNet | None:
    """Load the end-to-end variational network; None if the tensors are not of one."""
    own = unwrapped(tensors, _VARNET_MARK, "varnet")
    if own is None:
        return None
    cascade = unet_sizes(own, "cascades.0.model.unet.")
    sensitivity = unet_sizes(own, "sens_net.norm_unet.unet.")
    settings = VarNetSettings(
        n_cascades=count(own, "cascades."),
        n_channels=cascade.n_channels,
        n_pools=cascade.n_pools,
        sensitivity_n_channels=sensitivity.n_channels,
        sensitivity_n_pools=sensitivity.n_pools,
    )
    return with_weights(settings, {name: own[name] for name in own if not _ZERO_BUFFER.fullmatch(name)})
