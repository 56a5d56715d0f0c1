import torch

from mri_noise.acquisition.noise import Noise, noise_of_level
from mri_noise.session.notes import noise_note, remark_note


def test_a_noise_is_told_by_level_source_and_samples() -> None:
    noise = Noise(0.0004 * torch.eye(2, dtype=torch.complex128), "noise prescan of 'a.h5'", 2500)
    assert noise_note(noise) == "Noise σ 0.02 a.u.: noise prescan of 'a.h5'; 2500 samples, a std known to 1 %."
    assert noise_note(noise_of_level(3.0, 2)) == "Noise σ 3 a.u.: level 3; taken to be exact."


def test_remarks_are_sentences() -> None:
    assert remark_note(()) == ""
    assert remark_note(("the echo was moved", "maps are odd")) == "The echo was moved. Maps are odd."
