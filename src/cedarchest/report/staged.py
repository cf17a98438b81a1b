"""What a stage did as a result; it loads no other action's report."""

from __future__ import annotations

from cedarchest.actions.stage import PeerOutcome, StagedPeer, StageReport
from cedarchest.model.names import counted
from cedarchest.model.size import shown_bytes
from cedarchest.report.outcome import Outcome, Result, describe


def staged(report: StageReport, *, dry_run: bool) -> Result:
    """The result of `stage`: 11 when a peer that may not fail did, 6 when none of them worked."""
    came = [peer for peer in report.peers if peer.outcome is PeerOutcome.STAGED]
    failures = [peer.problem for peer in report.peers if peer.problem is not None]
    worked = len(failures) < len(report.peers)
    lines = [_staged_line(report.day, peer, dry_run=dry_run) for peer in report.peers if not peer.problem]
    left_out = [*report.unfinished, *(line for peer in report.peers for line in peer.left_out)]
    missing = [peer.problem.message for peer in report.peers if worked and peer.problem]
    advice = dict.fromkeys(peer.problem.advice for peer in report.peers if worked and peer.problem)
    return Result(
        "stage",
        Outcome.OK if came else Outcome.NOTHING_TO_DO,
        days=(report.day,) if came and not dry_run else (),
        left_out=[*left_out, *missing],
        figures={
            "dry_run": dry_run,
            "day": report.day,
            "peers": [_staged_peer(peer) for peer in report.peers],
        },
        text=[*lines, *(f"left out: {each}" for each in (*left_out, *missing)), *advice],
        problems=() if worked else failures,
    )


def _staged_line(day: str, peer: StagedPeer, *, dry_run: bool) -> str:
    if peer.outcome is PeerOutcome.STAGED:
        amount = f"{counted(peer.files, 'file')}, {shown_bytes(peer.data_bytes)}"
        return f"{'would stage' if dry_run else 'staged'} {peer.name} in {day}: {amount}"
    if peer.outcome is PeerOutcome.AFTER_COLLECT:
        return f"would stage {peer.name} in {day}, once it is collected"
    return f"{peer.name}: " + ("failed, ignored" if peer.outcome is PeerOutcome.IGNORED else "nothing new")


def _staged_peer(peer: StagedPeer) -> dict[str, object]:
    return {
        "name": peer.name,
        "outcome": peer.outcome.value,
        "files": peer.files,
        "bytes": peer.data_bytes,
        "left_out": list(peer.left_out),
        "error": describe(peer.problem) if peer.problem else None,
    }
