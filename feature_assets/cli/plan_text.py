"""A plan as people and programs read it: in the terminal, in a pull request, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from feature_assets.cli.changes_text import change_record, counted, differences, joined, logic_of, print_changes
from feature_assets.cli.output import print_line, print_table
from feature_store.catalog.affected import Affected
from feature_store.catalog.changes import Change, Refusal
from feature_store.catalog.proposals import Proposal
from feature_store.catalog.similar import Similar

_HEADINGS = ("to compute", "partitions", "rows", "bytes", "seconds")


_TOLD = 3
"""How many features that are alike are told; JSON has all."""


@dataclass(frozen=True)
class Planned:
    """A proposal, and what follows from it.

    Attributes:
        proposal: what would change.
        refused: why it cannot be applied, what is stored included; empty: it can.
        affected: per change, who is hit.
        similar: by the name of a new feature, the features that compute the same or nearly the same.
        costs: of each view of which something has to be computed, as records.
        notes: columns of sources that are gone or of another type, with all that they reach, a line each; and who reads
            what is deprecated.
    """

    proposal: Proposal
    refused: tuple[Refusal, ...]
    affected: tuple[Affected, ...]
    similar: dict[str, list[Similar]]
    costs: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]


def plan_record(planned: Planned) -> dict[str, Any]:
    """Return a plan as JSON."""
    changes = [
        {
            **change_record(change),
            **asdict(affected),
            "similar": [asdict(each) for each in planned.similar.get(change.name, ())],
        }
        for change, affected in zip(planned.proposal.changes, planned.affected, strict=True)
    ]
    return {
        "revision": planned.proposal.revision,
        "changes": changes,
        "refused": [asdict(refusal) for refusal in planned.refused],
        "undeclared": list(planned.proposal.undeclared),
        "costs": list(planned.costs),
        "notes": list(planned.notes),
    }


def print_plan(planned: Planned) -> None:
    """Print a plan for people."""
    print_changes(planned.proposal.changes)
    hit = [
        [change.name, joined(affected.services), joined(affected.models), joined(affected.owners)]
        for change, affected in zip(planned.proposal.changes, planned.affected, strict=True)
        if affected.services and change.action != "added"
    ]
    if hit:
        print_line()
        print_table(["changed", "services", "models", "teams"], hit)
    if planned.costs:
        print_line()
        print_table(_HEADINGS, _cost_rows(planned))
    print_line()
    for note in _notes(planned):
        print_line(note)
    for refusal in planned.refused:
        print_line(f"REFUSED {refusal}")
    print_line(f"Compared with revision {planned.proposal.revision}: {_verdict(planned)}")


def plan_markdown(planned: Planned) -> str:
    """Return a plan as Markdown, for a pull request."""
    proposal = planned.proposal
    lines = [f"### Features: compared with revision {proposal.revision}, {_verdict(planned)}", ""]
    lines += [f"- **Refused**: {refusal}" for refusal in planned.refused]
    if proposal.changes:
        pairs = zip(proposal.changes, planned.affected, strict=True)
        rows = [[e.action, e.kind, f"`{e.name}`", e.owner, _what(e), _readers(affected)] for e, affected in pairs]
        lines += ["", *_table(["change", "kind", "name", "team", "what", "read by"], rows)]
    for change in proposal.changes:
        if change.changes_values and change.before is not None and change.after is not None:
            lines += ["", f"`{change.name}`", "```diff"]
            lines += [f"- {logic_of(change.before)}", f"+ {logic_of(change.after)}", "```"]
    if planned.costs:
        lines += ["", *_table(_HEADINGS, [[str(cell) for cell in row] for row in _cost_rows(planned)])]
    return "\n".join([*lines, "", *(f"- {note}" for note in _notes(planned))]).rstrip()


def _verdict(planned: Planned) -> str:
    changes = len(planned.proposal.changes)
    if planned.refused:
        return f"{counted(len(planned.refused), 'reason')} why it cannot be applied."
    return f"{counted(changes, 'change')}; `features apply` records them." if changes else "nothing to apply."


def _notes(planned: Planned) -> list[str]:
    alike = [f"{name} is like {_likenesses(others)}: reuse it?" for name, others in planned.similar.items()]
    undeclared = planned.proposal.undeclared
    left = [f"{name} is declared no more and stays served: --retire {name} ends that" for name in undeclared]
    return [*alike, *planned.notes, *left]


def _likenesses(others: Sequence[Similar]) -> str:
    told = [f"{each.name} of {each.owner} ({each.likeness})" for each in others[:_TOLD]]
    return ", ".join(told) + (f" and {len(others) - _TOLD} more" if len(others) > _TOLD else "")


def _cost_rows(planned: Planned) -> list[list[object]]:
    return [[_cell(cost[name]) for name in ("view", "partitions", "rows", "size", "seconds")] for cost in planned.costs]


def _cell(value: object) -> object:
    if value is None:
        return "no run tells"
    return f"{value:,}" if isinstance(value, int | float) else value


def _what(change: Change) -> str:
    return "; ".join(differences(change)).replace("|", "\\|")


def _readers(affected: Affected) -> str:
    return f"{joined(affected.services)} ({joined(affected.owners)})" if affected.services else "-"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [_row(columns), _row(["---"] * len(columns)), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
