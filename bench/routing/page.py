"""The page of results: docs/reference/routing-benchmark.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.places import ROOT
from bench.routing.plan import Outcome, Plan
from bench.routing.published import PUBLISHED
from bench.routing.trials import Trial
from headgate.routing.learned.surface import SURFACE

__all__ = ["PAGE", "page", "tables"]

PAGE = ROOT / "docs" / "reference" / "routing-benchmark.md"
_UNTAUGHT = "prior of the other set, no label"
_HEAD = ("router", "labels", "asked", "APGR", "± over repeats", "95 % over questions", "CPT50", "CPT80")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(name: str, trial: Trial) -> list[str]:
    interval = f"{trial.interval[0]:.3f} to {trial.interval[1]:.3f}" if trial.interval else ""
    return [
        name,
        f"{trial.labels:,}",
        f"{trial.asked:,}",
        f"{trial.figures.apgr:.3f}",
        f"{trial.spread:.3f}" if trial.spread else "",
        interval,
        f"{trial.figures.cpt50:.1f} %",
        f"{trial.figures.cpt80:.1f} %",
    ]


def tables(outcome: Outcome) -> dict[str, str]:
    """Title -> table, in Markdown; also what is printed."""
    found = {}
    for name, trials in outcome.trials.items():
        rows = [_row(trial_name, trial) for trial_name, trial in trials.items()]
        for one in PUBLISHED:
            there = one.mmlu if "mmlu" in name else one.gsm8k
            cpt = (f"{there.cpt50:.1f} %", f"{there.cpt80:.1f} %")
            rows.append([f"*published: {one.name}*", "", "", f"{there.apgr:.3f}", "", "", *cpt])
        found[name] = _table(_HEAD, rows)
    found["llmrouter-9models"] = _table(
        ("choice", "accuracy", "95 % over questions", "billions of parameters, mean"),
        [
            [
                one.name,
                f"{one.accuracy:.3f}",
                f"{one.interval[0]:.3f} to {one.interval[1]:.3f}",
                f"{one.parameters:.1f}",
            ]
            for one in outcome.nine
        ],
    )
    found["decision"] = _table(
        ("questions", "milliseconds"),
        [[name, f"{value:.1f}"] for name, value in outcome.milliseconds.items()],
    )
    return found


def page(outcome: Outcome, plan: Plan, about: Mapping[str, Any]) -> str:
    """The whole page."""
    shown = tables(outcome)
    mmlu, gsm8k = (outcome.trials[name] for name in ("routellm-mmlu", "routellm-gsm8k"))
    at_500 = mmlu["learned, 500 labels"]
    folded = gsm8k["learned, all labels"]
    sets = _table(
        ("rows", "questions", "left out as contaminated", "models", "file (sha256)"),
        [
            [
                rows.name,
                f"{len(rows.texts):,}",
                str(rows.left_out),
                str(len(rows.models)),
                f"`{rows.sha256[:16]}…`",
            ]
            for rows in outcome.sets
        ],
    )
    machine = _table(("of the run", ""), [[key, str(value)] for key, value in about.items()])
    errors = ", ".join(f"{value:.3f} for {name}" for name, value in outcome.calibration.items())
    return f"""# How well the learned router routes

Written by `make bench-routing`; do not edit. The rows come from outside (`HEADGATE_DATA`, `dev.jsonl.gz` of each data
set): they are read for this page and no part of them is shipped. Whatever comes out is written down.

**In short.** With 500 labels the learned router reaches APGR {at_500.figures.apgr:.3f} ± {at_500.spread:.3f} on MMLU
(best published 0.603), and with {folded.labels} labels {folded.figures.apgr:.3f} on GSM8K (best published 0.622). Prompt
length alone reaches {mmlu["prompt length alone"].figures.apgr:.3f} and {gsm8k["prompt length alone"].figures.apgr:.3f}, the
transparent default {mmlu["transparent default"].figures.apgr:.3f} and {gsm8k["transparent default"].figures.apgr:.3f}. Before any
label the prior reaches {mmlu[_UNTAUGHT].figures.apgr:.3f} and {gsm8k[_UNTAUGHT].figures.apgr:.3f}. The published
routers were asked the full sets, which are a little harder (below). Read the intervals: GSM8K has {folded.asked} questions here, so a difference below about 0.05 between two rows of its table is not
settled by it.

## What is measured

RouteLLM's protocol. A router gives each question a number; the ten thresholds that split the questions into equal parts
send what is above to the strong model (gpt-4-1106-preview) and the rest to the weak one (Mixtral 8x7B). Over the share of strong
calls stands the accuracy; the area above the weak model, by trapezoids from always-weak to always-strong, as a share
of the strong model's area, is **APGR**. **CPT50** and **CPT80** are the least shares of strong calls that close 50 % and 80 % of
the gap between the models. Rows their authors flagged as contaminated are left out.

No router sees an answer of either model, only the question. The learned router is the product's own code with its
own settings: an eight-bit MiniLM embedding of the first and last 200 characters, {len(SURFACE)} surface features, a
Bayesian linear head per model, prior strength by marginal likelihood on the labels it is given, score = expected quality of the strong
model minus that of the weak one ([decision 0013](../decisions/0013-learned-router.md)).

- **all labels**: {plan.mmlu_folds}-fold cross-validation on MMLU, {plan.gsm8k_folds}-fold on GSM8K, there repeated
  {plan.repeats} times with other folds. The folds' scores are pooled under one set of thresholds.
- **N labels**: learned from N questions drawn by chance, asked all the others; {plan.draws} draws.
- **500 labels on GSM8K**: only {folded.asked} rows are at hand, so 500 cannot be drawn with any left to ask. Nine tenths
  ({folded.labels} labels) of {plan.gsm8k_folds}-fold cross-validation stand for it.
- **prior of the other set**: what an installation without a file of labels has. The shipped prior is made of both data sets, so
  it cannot be asked about them; here each is asked with a prior made of the other one alone, first without any label,
  then with N labels learned one at a time as outcomes come in.
- **± over repeats** is the standard deviation of APGR over draws or over foldings; **95 % over questions** a bootstrap of
  1,000 rounds over the questions asked, the router as it is.
- Published routers were asked the full sets (14,037 and 1,307 questions), ours the part for development; they had learned
  from about 65,000 comparisons and up to 1,500 labelled questions of MMLU's kind and none of GSM8K's. So on GSM8K "learned" has
  something theirs had not: labels of the same kind. A gateway gets such labels from its own traffic; a newly installed one has
  none.
- **The rows here are not theirs.** On the full sets prompt length alone reaches 0.585 (MMLU) and 0.598 (GSM8K), on these rows
  {mmlu["prompt length alone"].figures.apgr:.3f} and {gsm8k["prompt length alone"].figures.apgr:.3f}: these are a little easier to
  route, so of a distance to a published figure about 0.01 (MMLU) and 0.03 (GSM8K) is owed to them.
- The kind of model, the excerpt and the scale of the surface features (0.1) were chosen on these same rows, among the alternatives
  of decision 0013; everything else is chosen inside each fit. No held-out rows were looked at: expect a little less on them.

## MMLU

{shown["routellm-mmlu"]}

Expected qualities are calibrated: mean distance between expected and reached over ten bins, half of the rows known,
{errors}.

## GSM8K

{shown["routellm-gsm8k"]}

## Nine models

Rows of LLMRouter (fourteen families of tasks), five folds. The rows carry no prices: a model's size in parameters stands for what
it costs. "At most 3/4 of its cost" and "its quality, cheapest" are the price of money solved for a sum and for a quality
over the questions of the asked fold, by what is expected of them, as the product does over its latest questions; the accuracy is
what was then reached. Where it falls short of the best single model's, the heads expected too much.

{shown["llmrouter-9models"]}

## Time of a decision

The whole grader on one core: excerpt, features, tokens, embedding, heads, choice; MMLU's questions one after the other. Elapsed time holds
what else the machine was doing; processor time does not.

{shown["decision"]}

## What it ran on

{machine}

{sets}
"""
