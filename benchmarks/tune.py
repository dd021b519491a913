"""Compare recipes by their accuracy on a split of the training set; the test set is not looked at.

    python -m benchmarks.tune digits small_digits --batch 32 64 --lr 0.05 0.1 0.2 --share 1 0.4

trains the recipe with every batch, rate and precision, on all of the fitted examples and on a random part of them, and prints
accuracy (95% interval over the seeds), its difference from the first line's (in pairs of equal seeds) and seconds. `--against
thesis_cifar10` adds another recipe's optimiser, schedule and batch on the first one's network, for as many epochs: what a large
batch must be as good as. Every line is kept in benchmarks/tuning.csv with the accuracy of each seed.
"""

import argparse
import csv
import datetime
import itertools
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks import inputs, machine
from pipeline_lib.analyse.statistics import paired_difference, share_interval
from pipeline_lib.config import Recipe, plain
from pipeline_lib.data.dataset import Dataset, read
from pipeline_lib.errors import PipelineError
from pipeline_lib.learn import device
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.precision import settled
from pipeline_lib.learn.train import test, train
from pipeline_lib.rng import generator

HELD_OUT = 0.2  # of every class, for validation
RECORD = Path("benchmarks/tuning.csv")
COLUMNS = ("date", "commit", "machine", "versions", "dataset", "recipe", "epochs", "share", "seconds", "accuracies")


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
    parser.add_argument("--precision", nargs="+", choices=("auto", "float32", "bfloat16"), help="default: the recipe's")
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
    precisions = options.precision or [base.precision]
    for batch, lr, precision in itertools.product(options.batch or [base.batch], options.lr or [base.optimiser.lr], precisions):
        changed = plain(base) | {"batch": batch, "optimiser": plain(base.optimiser) | {"lr": lr}, "precision": precision}
        found[f"{options.recipe}, batch {batch}, lr {lr:g}, {precision}"] = Recipe.model_validate(changed)
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
    options, first = parse(), {}
    try:
        dataset, _ = read(inputs.ROOT / f"data/{options.dataset}/dataset.h5")
        tuned, where = split(dataset, inputs.study().seed), device.choose("auto")
        for (name, recipe), share in itertools.product(candidates(options).items(), options.share):
            recipe = settled(recipe, tuned, where)
            runs = compared(tuned, recipe, share, options.seeds, where)
            print(f"{name}, {share:.0%} of {len(tuned.train_labels):,}: {words(runs, first.get(share))}", flush=True)
            first.setdefault(share, runs)
            keep(inputs.ROOT / RECORD, (options.dataset, f"{name} ({recipe.precision})", str(recipe.epochs), f"{share:g}"), runs)
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def compared(dataset: Dataset, recipe: Recipe, share: float, seeds: int, where: torch.device) -> pd.DataFrame:
    """Return accuracy (share of the validation images) and seconds of a training, by seed."""
    rows, data = [], Data(dataset, recipe, where)
    for seed in range(seeds):
        order = generator(seed, "tuning subset").permutation(len(dataset.train_labels))
        kept = np.sort(order[: round(share * len(order))])
        trained = train(data, kept, recipe, Seeds(inputs.SEED, "tuning", seed))
        rows.append({"accuracy": test(trained.model, data, recipe).accuracy, "seconds": trained.seconds})
    return pd.DataFrame(rows)


def words(runs: pd.DataFrame, first: pd.DataFrame | None) -> str:
    """Return accuracy with its interval, seconds, and the difference from other runs of the same seeds."""
    mean, low, high = (100 * value for value in share_interval(runs["accuracy"].to_numpy()))
    text = f"{mean:.2f}% ({_interval(low, high, '.2f')}), {runs['seconds'].mean():.2f} s"
    if first is None:
        return text
    difference, least, most, _ = (100 * value for value in paired_difference(runs["accuracy"], first["accuracy"]))
    return f"{text}; {difference:+.2f} ({_interval(least, most, '+.2f')}) beside the first"


def _interval(low: float, high: float, form: str) -> str:
    return "no interval" if np.isnan(low) else f"{low:{form}} to {high:{form}}"


def keep(path: Path, what: tuple[str, ...], runs: pd.DataFrame) -> None:
    """Add a line to the record.

    Args:
        path: of the record.
        what: data set, recipe, epochs, share.
        runs: accuracy and seconds by seed.
    """
    new = not path.exists()
    made = (f"{datetime.date.today():%Y-%m-%d}", machine.commit(), machine.describe(), machine.versions())
    found = (f"{runs['seconds'].mean():.4g}", " ".join(f"{value:.4f}" for value in runs["accuracy"]))
    with open(path, "a", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(COLUMNS)
        writer.writerow((*made, *what, *found))


if __name__ == "__main__":
    sys.exit(main())
