import pytest
import torch

from mri_noise.recon.blocks.fastmri_unet import seeded
from mri_noise.recon.blocks.resnet import ResidualCNN
from tests.recon import references


@pytest.mark.parametrize(("rows", "columns"), [(6, 9), (1, 4)])
@pytest.mark.parametrize("n_blocks", [1, 3])
def test_equals_its_equations(rows: int, columns: int, n_blocks: int) -> None:
    with seeded(3):
        network = ResidualCNN(n_blocks, n_features=5).double()
    weights = {f"cnn.{name}": value for name, value in network.state_dict().items()}
    images = torch.randn(2, rows, columns, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    expected = torch.stack([references.residual_cnn(weights, "cnn", n_blocks, image) for image in images])
    torch.testing.assert_close(network(images), expected)
    torch.testing.assert_close(network(images[0]), expected[0])


def test_reaches_three_pixels_a_block_and_no_further() -> None:
    with seeded(0):
        network = ResidualCNN(n_blocks=2, n_features=4).double()
    image = torch.zeros(15, 16, dtype=torch.complex128)
    pulse = image.clone()
    pulse[7, 8] = 1
    rows, columns = torch.nonzero((network(pulse) - network(image)).abs() > 0, as_tuple=True)
    assert (int(rows.min()), int(rows.max())) == (2, 12)  # five 3x3 convolutions in a row
    assert (int(columns.min()), int(columns.max())) == (3, 13)
