"""Replays on the terminal: two answers side by side, and many pairs summed up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from headgate.control.campaigns import Campaign, Forecast
    from headgate.quality.replay.comparing import Comparison, ReplayCall, ReplaySide
    from headgate.quality.replay.planning import Estimate
    from headgate.quality.replay.summary import Metric, Summary

__all__ = ["campaign_lines", "comparison_lines", "estimate_line", "forecast_lines"]

_TIMES = 10
_REASONS = {
    "operation": "are neither chats nor embeddings",
    "not_kept": "have no prompt on record (`records.content`)",
    "deleted": "have had their prompt deleted",
    "truncated": "have a prompt that was cut when it was recorded (`records.content_limit`)",
    "masked": "have something else on record than what was sent",
    "price_unknown": "would go where no price is known, so --most-usd could not hold",
    "cap": "were stopped by --most-usd on the way",
    "not_stored": "were sent, and are not stored yet",
}


def _usd(nanos: int | None) -> str:
    if nanos is None:
        return "unknown"
    amount = nanos / 1e9
    return f"{amount:.2f}" if amount >= 10 else f"{amount:.6f}".rstrip("0").rstrip(".") or "0"


def estimate_line(estimate: Estimate) -> str:
    """What one will cost, in a line."""
    where = estimate.places[0] if estimate.places else "nowhere"
    if estimate.expected_nanos is None:
        return f"Goes to {where}, of which no price is known."
    most = _usd(estimate.most_nanos) if estimate.most_nanos is not None else "an unknown sum"
    return (
        f"Goes to {where}; costs about {_usd(estimate.expected_nanos)} USD "
        f"(at least {_usd(estimate.least_nanos)}, at most {most} with {estimate.answer_tokens:,} tokens of answer)."
    )


def forecast_lines(forecast: Forecast, wanted: int) -> Iterator[str]:
    """What many will cost."""
    if forecast.requests:
        priced = forecast.requests - forecast.unpriced
        about = f"about {_usd(forecast.expected_nanos)} USD (at least {_usd(forecast.least_nanos)}, at most {_usd(forecast.most_nanos)})"
        yield f"{forecast.requests:,} of {wanted:,} requests can be sent again; {about if priced else 'what they cost is not known'}."
    if forecast.unpriced:
        yield f"{forecast.unpriced:,} of them may go where no price is known: {', '.join(sorted(forecast.unpriced_places))}."
    yield from _left_out(dict(forecast.left_out))


def _left_out(reasons: dict[str, int]) -> Iterator[str]:
    for reason, count in reasons.items():
        yield f"Left out: {count:,} that {_REASONS.get(reason, f'would be refused: {reason}')}."


def comparison_lines(found: Comparison) -> None:
    """Print it."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("")
    for title in ("original", "replay", "difference"):
        table.add_column(title, justify="right", overflow="fold")
    for name, before, after, difference in _rows(found.original, found.replay):
        table.add_row(name, Text(_plain(before)), Text(_plain(after)), difference)
    console.print(table)
    console.print()
    if found.original_calls or found.replay_calls:
        console.print(Text(f"Tool calls: {'the same' if found.same_calls else 'different'}", style="bold"))
        for mark, calls in (
            ("-", [] if found.same_calls else found.original_calls),
            (" " if found.same_calls else "+", found.replay_calls),
        ):
            for call in calls:
                console.print(Text(f"  {mark} {_call(call)}"))
        console.print()
    if found.diff is None:
        console.print("The answers cannot be compared: one of them is not kept, or is no text.")
    elif found.diff.identical:
        console.print(Text(f"The {'answers' if found.same_calls else 'texts'} are the same:", style="bold"))
        console.print(Text(_plain(found.replay_text)))
    else:
        likeness = f"{100 * (found.similarity or 0):.0f} % of the text is shared"
        console.print(Text(f"The answers differ ({likeness}):", style="bold"))
        console.print(_diff(console, found))


def _rows(before: ReplaySide, after: ReplaySide) -> Iterator[tuple[str, str, str, str]]:
    yield "request", before.id, after.id, ""
    yield "model", before.model, after.model, ""
    yield "outcome", _outcome(before), _outcome(after), ""
    yield "finished", before.finish or "-", after.finish or "-", ""
    yield "latency", _ms(before.total_ms), _ms(after.total_ms), _change(before.total_ms, after.total_ms)
    if before.stream and after.stream:
        yield (
            "first token",
            _ms(before.first_content_ms),
            _ms(after.first_content_ms),
            _change(before.first_content_ms, after.first_content_ms),
        )
    for name in ("input_tokens", "output_tokens"):
        one, other = getattr(before, name), getattr(after, name)
        yield (
            "prompt tokens" if name == "input_tokens" else "answer tokens",
            f"{one:,}",
            f"{other:,}",
            _change(one, other),
        )
    costs = [None if side.cost_usd is None else float(side.cost_usd) for side in (before, after)]
    yield (
        "cost USD",
        before.cost_usd or "unknown",
        after.cost_usd or "unknown",
        _change(costs[0], costs[1]) if costs[0] is not None and costs[1] is not None else "",
    )


def _outcome(side: ReplaySide) -> str:
    text = side.outcome.replace("_", " ") + (f": {side.error}" if side.error else "")
    return f"{text}, degraded to {side.degraded}" if side.degraded else text


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.0f} ms" if milliseconds else "-"


def _change(before: float, after: float) -> str:
    if not before or not after:
        return ""
    # Whoever reads `+539,770 %` has to think.
    return (
        f"x {after / before:,.0f}"
        if after >= _TIMES * before
        else f"{100 * (after - before) / before:+.0f} %"
    )


def _call(call: ReplayCall) -> str:
    return _plain(f"{call.name}({call.arguments})")


def _diff(console: Console, found: Comparison) -> Text:
    """In colour on a terminal, in brackets elsewhere."""
    from rich.text import Text

    told = Text()
    for piece in found.diff.pieces if found.diff is not None else ():
        text = _plain(piece.text)
        if piece.kind == "same":
            told.append(text)
        elif console.is_terminal and not console.no_color:
            told.append(text, style="red strike" if piece.kind == "del" else "green")
        else:
            told.append(f"[-{text}-]" if piece.kind == "del" else f"{{+{text}+}}")
    if found.diff is not None and found.diff.cut:
        told.append("\n(very long: the ends are left out)")
    return told


def _plain(text: str) -> str:
    # Answers come from strangers: nothing in them may move the cursor.
    return "".join(character if character.isprintable() or character in "\n\t" else "?" for character in text)


def campaign_lines(campaign: Campaign) -> None:
    """Print what came of many."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    found = campaign.summary
    if campaign.capped or campaign.stopped:
        why = "--most-usd" if campaign.capped else "Ctrl-C"
        console.print(f"{why} ended it after {found.pairs:,} of {campaign.wanted:,}.")
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("", no_wrap=True)
    for title in ("pairs", "median before", "median after", "mean difference", "95 % interval"):
        table.add_column(title, justify="right", no_wrap=True)
    for metric in found.metrics:
        table.add_row(f"{metric.name} ({metric.unit})", f"{metric.pairs:,}", *_figures(metric))
    if found.metrics:
        console.print(table)
        console.print()
    for line in _summary_lines(found):
        console.print(line)
    unknown = f", and {campaign.unknown_cost:,} of unknown cost" if campaign.unknown_cost else ""
    console.print(f"Spent: {_usd(campaign.spent_nanos)} USD{unknown}.")
    for line in _left_out(dict(campaign.left_out)):
        console.print(line)


def _figures(metric: Metric) -> Iterator[str]:
    digits = 6 if metric.unit == "USD" else 1
    yield f"{metric.median_before:,.{digits}f}"
    yield f"{metric.median_after:,.{digits}f}"
    yield f"{metric.mean_difference:+,.{digits}f}"
    if metric.low is None or metric.high is None:
        yield "-"
    else:
        sure = "" if metric.low <= 0 <= metric.high else " *"
        yield f"{metric.low:+,.{digits}f} to {metric.high:+,.{digits}f}{sure}"


def _summary_lines(found: Summary) -> Iterator[str]:
    flips = found.flips
    yield (
        f"Succeeded: {flips.both + flips.lost:,} before, {flips.both + flips.gained:,} now, of {found.pairs:,} "
        f"({flips.lost:,} lost, {flips.gained:,} gained{f'; p = {flips.p:.3g}' if flips.p is not None else ''})."
    )
    if found.compared:
        yield (
            f"Answers: {100 * found.identical / found.compared:.0f} % identical, {100 * found.similar / found.compared:.0f} % similar "
            f"(four fifths of the text shared), of {found.compared:,} that can be compared."
        )
    if found.metrics:
        yield "* the interval leaves out 0. Intervals: paired t; p: McNemar's exact test."
