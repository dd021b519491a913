"""From the tables and figures of a finished study to the parts of its report, in the order in which they are read."""

from dataclasses import dataclass

import pandas as pd
import yaml

from pipeline_lib import metrics as metric_files
from pipeline_lib.analyse.ranking import AND_RULE
from pipeline_lib.report import captions, summary
from pipeline_lib.report.build import UNFOLDED, Figure, Listing, Meta, Section, Table, excerpt
from pipeline_lib.report.provenance import DataFacts
from pipeline_lib.report.words import Caption

FIRST = ("index", "file", "label", "true_label", "belief", "suggested_label")  # columns of the ranking that are shown first
BELOW = ("below_threshold", "threshold_votes")  # columns that a ranking has where there are threshold examples
BEST_FOR_LABELS = "margin_rank"  # orders by what the flag is made from
RANK = "_rank"  # ends the name of a metric's column of ranks


@dataclass(frozen=True)
class Drawn:
    """A figure as it lies on the disk: its picture, its numbers, and where these lie."""

    png: bytes
    table: pd.DataFrame
    path: str


@dataclass(frozen=True)
class Study:
    """Everything that is known about one data set's study.

    Attributes:
        dataset: its name.
        facts: the data set without its images.
        figures: name -> figure.
        tables: name -> (table, where it lies), those without a figure.
        metrics: metric -> {"function", "parameters"}.
        config: the part of the config file that made it.
        origin: name -> value: device, versions, commit.
    """

    dataset: str
    facts: DataFacts
    figures: dict[str, Drawn]
    tables: dict[str, tuple[pd.DataFrame, str]]
    metrics: dict[str, dict]
    config: dict
    origin: dict[str, str]


def sections(study: Study) -> list[Section]:
    """Return the parts of the report.

    Raises:
        PipelineError: there are no words for a figure.
    """
    tables = {name: drawn.table for name, drawn in study.figures.items()} | {name: t for name, (t, _) in study.tables.items()}
    own = {"data": [_per_class(study.facts)], "metrics": [_metrics(study.metrics)]}
    said = summary.points(tables, study.facts.wrong)
    found = [Section("summary", "What to read first", "", [said] if said.items else [])]
    for name, (title, paragraph) in captions.SECTIONS.items():
        found.append(Section(name, title, paragraph, [*own.get(name, []), *_figures(study, name), *_tables(study, name)]))
    found.append(Section("origin", "Configuration and versions", "What made this page and the numbers on it.", _origin(study)))
    return found


def meta(study: Study) -> Meta:
    """Return what stands above everything."""
    facts = study.facts
    known = [
        ("training examples", f"{len(facts.labels):,}"),
        ("test examples", f"{len(facts.test_labels):,}"),
        ("classes", f"{len(facts.class_names):,}"),
        ("metrics", f"{len(study.metrics)}"),
    ]
    if facts.wrong is not None:
        known.append(("labels known to be wrong", f"{facts.wrong.sum():,}"))
    return Meta(study.dataset, known)


def _figures(study: Study, section: str) -> list[Figure]:
    """The figures of a section, in the order of their captions."""
    order = list(captions.CAPTIONS)
    words = {name: captions.caption(name) for name in study.figures}
    names = [name for name, caption in words.items() if caption.section == section]
    names.sort(key=lambda name: order.index(name) if name in order else len(order))
    return [_figure(name, study.figures[name], words[name]) for name in names]


def _figure(name: str, drawn: Drawn, caption: Caption) -> Figure:
    return Figure(name, caption, caption.behind(drawn.table), drawn.png, excerpt(caption.title, drawn.table, drawn.path))


def _tables(study: Study, section: str) -> list[Table]:
    """The tables of a section that have no figure."""
    found = []
    for name, (table, path) in study.tables.items():
        words = captions.heading(name)
        if words.section == section and name == "ranking":
            found += _ranking(table, path)
        elif words.section == section:
            found.append(excerpt(words.title, table, path, words.paragraph, opened=len(table) <= UNFOLDED))
    return found


def _ranking(table: pd.DataFrame, path: str) -> list[Table]:
    """Views of the ranking, hardest first by the margin (or the first metric): labels doubted by either rule, and the hardest."""
    ranks = [name for name in table.columns if name.endswith(RANK) and name.removesuffix(RANK) in table.columns]
    ranks.sort(key=lambda name: name != BEST_FOR_LABELS)  # the same order otherwise
    ordered = table.sort_values(ranks[0], kind="stable")
    flag = ordered["likely_mislabelled"].astype(bool)
    suggests = flag.any() or (BELOW[0] in table.columns and table[BELOW[0]].any())
    first = [name for name in FIRST if name in table.columns and (suggests or name != "suggested_label")]
    shown = (*FIRST, *ranks, "likely_mislabelled", *BELOW, "rule")
    others = [*ranks, *(name for name in table.columns if name not in shown)]
    below = [name for name in BELOW if name in table.columns]
    words = f"The hardest by {ranks[0].removesuffix(RANK)} first; rank 1 is the hardest."
    found = [excerpt("Hardest", ordered[[*first, "likely_mislabelled", *below, *others]], path, words, opened=True)]
    if below and ordered[BELOW[0]].any():
        rows = ordered[ordered[BELOW[0]].astype(bool)].sort_values(BELOW[1], ascending=False, kind="stable")
        rule = f" The rule: {rows['rule'].iloc[0].split(AND_RULE)[-1]}."
        columns = [*first, BELOW[1], "likely_mislabelled", *others]
        found.insert(0, excerpt("Below the learned cut-off", rows[columns], path, words + rule, opened=True))
    if flag.any():
        rule = f" The rule: {ordered.loc[flag, 'rule'].iloc[0].split(AND_RULE)[0]}."
        columns = [*first, *below, *others]
        found.insert(0, excerpt("Likely mislabelled", ordered.loc[flag, columns], path, words + rule, opened=True))
    return found


def _per_class(facts: DataFacts) -> Table:
    table, (channels, height, width) = facts.per_class(), facts.shape
    sizes = f"{table['training'].min():,} to {table['training'].max():,} training examples per class"
    words = f"Images of {height} x {width} pixels, {'in colour' if channels > 1 else 'in grey'}; {sizes}. "
    if facts.drawn is not None:
        words += f"A second test set, as unequal as the training examples, is drawn from the test images: {len(facts.drawn):,}. "
    if facts.wrong is None:
        words += "Which labels are wrong is not known."
    else:
        words += (
            f"{facts.wrong.sum():,} training labels ({facts.wrong.mean():.1%}) are known to be wrong: they differ from the true "
            "ones, which are kept beside them. Test labels are as given."
        )
    return Table("Examples per class", table, len(table), "", words, opened=len(table) <= UNFOLDED)


def _metrics(configured: dict[str, dict]) -> Table:
    rows = []
    for name, settings in configured.items():
        metric = metric_files.load(settings["function"])
        parameters = ", ".join(f"{key}: {value}" for key, value in settings["parameters"].items())
        formula = ". ".join(filter(None, [metric.FORMULA, metric_files.caveat(settings["function"], settings["parameters"])]))
        rows.append((name, formula, metric.RANGE, parameters or "none", metric.NEEDS))
    table = pd.DataFrame(rows, columns=["metric", "formula", "range", "parameters", "reads"])
    words = "Dynamics are the recorded trainings of the ensemble, clusters are k-means on features learned without labels."
    return Table("The metrics of this study", table, len(table), "", words, opened=True)


def _origin(study: Study) -> list[Table | Listing]:
    facts = study.facts
    rows = {
        "data set": f"{study.dataset}, fingerprint {facts.fingerprint}" + (f"; {facts.note}" if facts.note else ""),
        **study.origin,
    }
    table = pd.DataFrame(list(rows.items()), columns=["what", "value"])
    words = "Versions and commit are those that wrote this page."
    text = yaml.safe_dump(study.config, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    return [Table("Origin", table, len(table), "", words, opened=True), Listing("Configuration of this data set", text)]
