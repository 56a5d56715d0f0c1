import pytest

from mri_noise.recon.linear import CGSense
from mri_noise.recon.weights.shipped import Shipped
from mri_noise.session.models import choice_of_model, model_of_title


def test_a_name_stands_for_a_network_of_the_package_or_for_a_kind() -> None:
    assert choice_of_model("modl-ssdu") == {"kind": "shipped", "name": "modl-ssdu"}
    assert choice_of_model("cg-sense") == {"kind": "cg-sense"}


def test_a_title_stands_for_a_network_of_the_package_or_for_a_kind() -> None:
    assert model_of_title("MoDL, self-supervised (SSDU)") == Shipped(name="modl-ssdu")
    assert model_of_title("CG-SENSE") == CGSense()
    with pytest.raises(ValueError, match="no reconstruction is called 'MODL'; choose one of the menu"):
        model_of_title("MODL")
