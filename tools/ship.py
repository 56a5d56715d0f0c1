"""Put trained weights into the package: python tools/ship.py runs/modl runs/unet ...

Of each training's folder the weights are taken, rounded to half precision (a relative change of at most 0.0005; biases
and step sizes stay as they are), and written with their settings and their training to
src/mri_noise/recon/weights/trained.
"""

import sys
from pathlib import Path

from mri_noise.recon.weights.checkpoint import checksum, load_network
from mri_noise.recon.weights.shipped import SHIPPED_NAMES
from mri_noise.recon.weights.weights_file import WeightsFile, read_weights, write_weights

MODELS = Path(__file__).parents[1] / "src" / "mri_noise" / "recon" / "weights" / "trained"


def ship(folder: Path) -> Path:
    """Round the weights of a training and write them to the package; ValueError if there are none."""
    if folder.name not in SHIPPED_NAMES:
        raise ValueError(f"'{folder}' is not named as a shipped model; choose one of {', '.join(SHIPPED_NAMES)}")
    file = read_weights(folder / f"{folder.name}.safetensors")
    tensors = {name: tensor.half() if tensor.ndim > 1 else tensor for name, tensor in file.tensors.items()}
    metadata = file.metadata | {"sha256": checksum(file.metadata["settings"], tensors)}
    path = MODELS / f"{folder.name}.safetensors"
    write_weights(path, WeightsFile(tensors, metadata))
    load_network(path)
    return path


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        path = ship(Path(argument))
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")
