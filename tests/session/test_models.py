from pathlib import Path
from typing import get_args

from mri_noise.recon.choices import Reconstruction
from mri_noise.recon.linear import CGSense
from mri_noise.recon.weights.checkpoint import Checkpoint
from mri_noise.recon.weights.shipped import SHIPPED_NAMES, Shipped
from mri_noise.session.models import KIND_TITLES, NETWORKS, RARE_KINDS, title_of_model


def test_every_network_of_the_package_is_offered_once() -> None:
    assert sorted(network.name for network in NETWORKS.values()) == sorted(SHIPPED_NAMES)


def test_every_reconstruction_has_a_title() -> None:
    union, _ = get_args(Reconstruction)
    kinds = {cls.model_fields["kind"].default for cls in get_args(union)}
    assert kinds == set(KIND_TITLES) | {"shipped"}
    assert kinds > RARE_KINDS
    assert title_of_model(Shipped(name="modl-ssdu")) == "MoDL, self-supervised (SSDU)"
    assert title_of_model(CGSense()) == "CG-SENSE"
    assert title_of_model(Checkpoint(path=Path("folder/mine.safetensors"))) == "mine"
