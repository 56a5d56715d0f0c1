"""Average trained weights with others of the same beginnings: those that they went on from, or another going on.

    python tools/average.py runs/modl --with src/mri_noise/recon/weights/trained/modl.safetensors

Weights that went on from trained ones gain on what they were trained on and can lose on other data; between the two
most of the gain is there, and little of the loss (Wortsman 2022, doi:10.1109/CVPR52688.2022.00780). Final gradient
steps that the others do not have stay as they are. The training's file is replaced, and says so; its validation is that
of the average.
"""

import argparse
import hashlib
import json
from pathlib import Path

import torch
from torch import nn

from mri_noise.recon.blocks.gradient_steps import with_final_steps
from mri_noise.recon.state_dict import require_fit
from mri_noise.recon.weights.checkpoint import checksum, load_network
from mri_noise.recon.weights.weights_file import WeightsFile, read_weights, write_weights
from mri_noise.training.loop.module import validated
from mri_noise.training.recipe import Recipe


def average(folder: Path, other: Path, share: float) -> Path:
    """Average and write, the trained weights with a share; ValueError if an average already, or of another network."""
    path = folder / f"{folder.name}.safetensors"
    trained, others = read_weights(path), read_weights(other)
    training = json.loads(trained.metadata["training"])
    if "averaged" in training:
        raise ValueError(f"'{path}' is an average already; train anew")
    theirs = with_final_steps(others.tensors, trained.tensors)
    require_fit(theirs, trained.tensors)
    tensors = {
        name: (share * tensor.float() + (1 - share) * theirs[name].float()).to(tensor.dtype)
        for name, tensor in trained.tensors.items()
    }
    metadata = trained.metadata | {"sha256": checksum(trained.metadata["settings"], tensors)}
    write_weights(path, WeightsFile(tensors, metadata))
    told = training | {
        "averaged": share,
        "averaged_with": hashlib.sha256(other.read_bytes()).hexdigest(),
        "validation": validation(load_network(path), Recipe.parse(training["recipe"])),
    }
    write_weights(path, WeightsFile(tensors, metadata | {"training": json.dumps(told)}))
    return path


@torch.no_grad()
def validation(network: nn.Module, recipe: Recipe) -> dict[str, float]:
    """Mean of each metric over the validation examples of a recipe."""
    examples = recipe.data.open(recipe.seed).validation
    values = [validated(network, example) for example in examples if example.target is not None]
    return {name: sum(value[name] for value in values) / len(values) for name in values[0]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of a training, named as its weights")
    parser.add_argument("--with", dest="other", type=Path, required=True, help="the other weights")
    parser.add_argument("--share", type=float, default=0.5, help="of the trained weights in the average")
    arguments = parser.parse_args()
    print(average(arguments.folder, arguments.other, arguments.share))
