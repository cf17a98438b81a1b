"""What a store did or would do, as a result: its volumes and its days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cedarchest.actions.store import StoreReport
from cedarchest.model.plan import StorePlan
from cedarchest.model.size import shown
from cedarchest.report.outcome import Outcome, Result


def stored(action: str, report: StoreReport, *, dry_run: bool) -> Result:
    """The result of `store` and `rebuild`."""
    volumes = volume_figures(report.plan)
    read_back = [day for day in report.days if day not in report.marked]
    lines: list[str] = []
    if report.marked:
        lines.append(f"marked {', '.join(report.marked)} stored: proven by an earlier run")
    if dry_run:
        lines += volume_lines(volumes)
    elif report.discs and report.deferred:
        lines.append(f"burnt on {', '.join(report.discs)}, not proven yet: run `cedarchest verify`")
    elif read_back:
        lines.append(f"stored {', '.join(read_back)} on {', '.join(report.discs)}")
        lines.append("no problems found: every entry was read back from the disc and matches")
    elif report.discs:
        lines.append(f"wrote {', '.join(report.discs)} and read it back; no day is whole on disc yet")
    if not lines and not report.problems:
        lines.append("nothing to store")
    lines += [f"left out: {each}" for each in report.left_out]
    outcome = Outcome.OK if report.days or report.plan.volumes else Outcome.NOTHING_TO_DO
    return Result(
        action,
        outcome,
        days=report.days,
        discs=report.discs,
        left_out=() if dry_run else report.left_out,
        figures={"dry_run": dry_run, "deferred": report.deferred, "volumes": volumes},
        text=lines,
        problems=report.problems,
    )


def volume_figures(plan: StorePlan) -> list[dict[str, object]]:
    """The volumes of a plan, as scripts read them."""
    return [
        {
            "disc": volume.label,
            "new_disc": volume.new_disc,
            "copy": volume.copy,
            "days": list(volume.days),
            "holds": [share.described for share in volume.shares],
            "blocks_at_most": volume.blocks,
            "free_blocks": volume.free,
            "bytes": volume.data_bytes,
            "why": volume.why,
        }
        for volume in plan.volumes
    ]


def volume_lines(volumes: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """The same for a person, a line each."""
    copies = len({volume["copy"] for volume in volumes}) > 1
    for volume in volumes:
        holds = volume["holds"]
        names = ", ".join(map(_held, holds)) if isinstance(holds, list) else ""
        blocks, free = volume["blocks_at_most"], volume["free_blocks"]
        assert isinstance(blocks, int)
        assert isinstance(free, int)
        disc = f"{volume['disc'] or 'a new disc'}" + (f" (copy {volume['copy']})" if copies else "")
        yield f"would store {names} on {disc}: up to {shown(blocks)} of {shown(free)} ({volume['why']})"


def _held(share: Mapping[str, object]) -> str:
    return f"{share['day']} from {share['from']} to {share['to']}" if "from" in share else str(share["day"])
