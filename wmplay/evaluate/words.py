"""The parts of a report card that are not a table, as sentences for people."""

from __future__ import annotations

from typing import Any

# A judge that is right about a smaller share of the clips it learned from has seen too little of a difference.
LEARNED = 0.75


def _share(figure: list[float] | None) -> str:
    return "none to count" if figure is None else f"{figure[0]:.1%} [{figure[1]:.1%}, {figure[2]:.1%}]"


def _plain(figure: list[float] | None) -> str:
    return "–" if figure is None else f"{figure[0]:.4g} [{figure[1]:.3g}, {figure[2]:.3g}]"


def sentences(report: dict[str, Any]) -> list[str]:
    """One sentence for each measure, each regime."""
    told = []
    for regime, row in report.get("reconstruction", {}).items():
        if row.get("as_it_is"):
            first = report["regimes"][regime].get("1", {}).get("mse")
            told.append(
                f"Reconstruction ({regime}): this model takes real frames as they are; the first it draws itself, "
                f"k=1, has MSE {_plain(first)}."
            )
        else:
            told.append(f"Reconstruction ({regime}): MSE {_plain(row['mse'])}.")
    for regime, row in report.get("action_following", {}).items():
        told.append(
            f"Answers the keys ({regime}): {_share(row['share'])} of {row['n']} clear starts at k={row['k']}, "
            f"its difference {_plain(row['size'])} times the game's."
        )
    for regime, row in report.get("outcomes", {}).items():
        flat = row["reward_skill"] is None
        usual = "it never changes in this game" if flat else f"{_plain(row['reward_baseline'])} for always the mean"
        ends = (
            f"End: precision {_share(row['end_precision'])}, recall {_share(row['end_recall'])} of {row['ends']}."
            if row["ends"] or row["end_precision"]
            else "End: none in this play, and none foretold."
        )
        told.append(f"Reward ({regime}): mean error {_plain(row['reward_error'])}, {usual}. {ends}")
    dice = report.get("chances")
    if dice:
        ways = ", ".join(f"{way} {_share(dice['dream'][way])} (game {odds:.0%})" for way, odds in dice["game"].items())
        told.append(f"Chance: of {dice['n']} moves with room on all sides went {ways}.")
    for keys, row in (report.get("staying_power") or {}).items():
        told.append(
            f"Staying power ({keys} keys): {_share(row['share'])} of {row['n']} dreams are still the game after "
            f"{row['steps']} steps."
        )
        if row.get("exact"):
            counted = row.get("exact_n") or {}  # cards from before it was there have none
            shares = ", ".join(
                _share(share) + (f" of {counted[k]}" if share and k in counted else "") + f" after {k}"
                for k, share in row["exact"].items()
            )
            told.append(f"Exact at every step ({keys} keys): {shares} steps.")
    for regime, card in report["regimes"].items():
        early = {k: row["ended_early"] for k, row in card.items() if (row.get("ended_early") or [0])[0] > 0}
        told += [
            f"Too early ({regime}): {_share(share)} of the dreams have ended by k={k} where the game goes on; from "
            "there their last state counts."
            for k, share in early.items()
        ]
    tell = report.get("can_you_tell")
    if tell:
        right = _share(tell["accuracy"])
        told.append(f"Can you tell? A classifier is right on {right} of {tell['n']} clips (50 %: it cannot).")
        learned = tell.get("trained_accuracy")
        if learned and learned[0] < LEARNED:
            told[-1] += (
                f" But it is right on {_share(learned)} of those it learned from: they are the same, or it learned too "
                "little to say."
            )
    gap = report.get("gap")
    if gap:
        real, dream = gap["game"], gap["dream"]
        told.append(
            f"Return of {gap['agent']}: {dream['mean']:.3g} ± {dream['sd']:.3g} in the dream, "
            f"{real['mean']:.3g} ± {real['sd']:.3g} in the game (n = {dream['n']} and {real['n']})."
        )
    told.append(
        f"Measured in {report['seconds']:.0f} s on {report['device']}; mean frame: {report['mean_frame_from']}."
    )
    return told
