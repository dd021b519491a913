"""Compare recipes by their accuracy on a split of the training set; the test set is not looked at.

    python -m benchmarks.tune digits small_digits --batch 32 64 --lr 0.05 0.1 0.2 --share 1 0.4

trains the recipe with every batch and rate, on all of the fitted examples and on a random part of them, and prints accuracy (95%
interval over the seeds) and seconds. `--against thesis_cifar10` adds another recipe's optimiser, schedule and batch on the first
one's network, for as many epochs: what a large batch must be as good as.
"""

import argparse
import itertools
import sys

import numpy as np
import torch

from benchmarks import inputs
from pipeline_lib.analyse.statistics import share_interval
from pipeline_lib.config import Recipe, plain
from pipeline_lib.data.dataset import Dataset, read
from pipeline_lib.errors import PipelineError
from pipeline_lib.learn import device
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.train import test, train
from pipeline_lib.rng import generator

HELD_OUT = 0.2  # of every class, for validation


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tune", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", help="of config.yaml, prepared: snakemake --cores 1 data/NAME/dataset.h5")
    recipes = inputs.study().recipes
    parser.add_argument("recipe", choices=recipes, metavar="recipe", help="of config.yaml")
    parser.add_argument("--batch", nargs="+", type=int, help="default: the recipe's")
    parser.add_argument("--lr", nargs="+", type=float, help="default: the recipe's")
    parser.add_argument("--epochs", type=int, help="default: the recipe's")
    parser.add_argument("--share", nargs="+", type=float, default=[1.0], help="of the fitted examples, drawn at random")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--against",
        choices=recipes,
        metavar="RECIPE",
        help="another recipe's optimiser, schedule and batch, same network and epochs",
    )
    return parser.parse_args(arguments)


def candidates(options: argparse.Namespace) -> dict[str, Recipe]:
    """Return the recipes to compare, by what they are called in the table."""
    recipes = inputs.study().recipes
    base = recipes[options.recipe]
    base = Recipe.model_validate(plain(base) | {"epochs": options.epochs or base.epochs})
    found = {}
    for batch, lr in itertools.product(options.batch or [base.batch], options.lr or [base.optimiser.lr]):
        changed = plain(base) | {"batch": batch, "optimiser": plain(base.optimiser) | {"lr": lr}}
        found[f"{options.recipe}, batch {batch}, lr {lr:g}"] = Recipe.model_validate(changed)
    if options.against:
        other = recipes[options.against]
        taken = {name: getattr(other, name) for name in ("optimiser", "schedule", "batch")}
        found[f"as {options.against}, batch {other.batch}"] = base.model_copy(update=taken)
    return found


def split(dataset: Dataset, seed: int) -> Dataset:
    """Return the data set with a fifth of every class of its training set in the place of the test set."""
    rng, held_out = generator(seed, "tuning"), []
    for label in range(dataset.classes):
        examples = rng.permutation(np.flatnonzero(dataset.train_labels == label))
        held_out.append(examples[: round(HELD_OUT * len(examples))])
    validation = np.sort(np.concatenate(held_out))
    fitted = np.setdiff1d(np.arange(len(dataset.train_labels)), validation)
    images, labels = dataset.train_images, dataset.train_labels
    ids = [dataset.source_id[position] for position in fitted]
    return Dataset(images[fitted], labels[fitted], images[validation], labels[validation], dataset.class_names, ids)


def main() -> int:
    """Print the table, a line as soon as it is known."""
    options = parse()
    try:
        dataset, _ = read(inputs.ROOT / f"data/{options.dataset}/dataset.h5")
        tuned, where = split(dataset, inputs.study().seed), device.choose("auto")
        for (name, recipe), share in itertools.product(candidates(options).items(), options.share):
            print(
                f"{name}, {share:.0%} of {len(tuned.train_labels):,}: {_result(tuned, recipe, share, options.seeds, where)}",
                flush=True,
            )
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _result(dataset: Dataset, recipe: Recipe, share: float, seeds: int, where: torch.device) -> str:
    accuracies, seconds = [], []
    data = Data(dataset, recipe, where)
    for seed in range(seeds):
        order = generator(seed, "tuning subset").permutation(len(dataset.train_labels))
        kept = np.sort(order[: round(share * len(order))])
        trained = train(data, kept, recipe, Seeds(inputs.SEED, "tuning", seed))
        accuracies.append(test(trained.model, data, recipe)[0])
        seconds.append(trained.seconds)
    mean, low, high = (100 * value for value in share_interval(np.array(accuracies)))
    return f"{mean:.2f}% ({low:.2f} to {high:.2f}), {np.mean(seconds):.2f} s"


if __name__ == "__main__":
    sys.exit(main())
