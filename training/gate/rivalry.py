"""Candidate and champion before the same served windows."""

from __future__ import annotations

from plumbline.bundle.archive import Bundle
from plumbline.diagnosis.sample import Context, Sample
from plumbline.training.gate.agreement import agreements_with, have_parted
from plumbline.training.gate.rows import Answer
from plumbline.training.gate.served import ask, judge_served, sound_rows
from plumbline.training.live import LiveRows


def parts_from(
    champion: Bundle, ask_champion: Answer, live: LiveRows, said: Sample, context: Context
) -> bool:
    """Tell whether a sound candidate says something else than a champion that was sound.

    Where the champion is sound on these windows, the two are compared row by row. Where it is not,
    which is why there is a candidate, its surrogate stands for what it said in health.

    Parameters
    ----------
    champion, ask_champion
        The version that serves, and its graph.
    live
        Served windows.
    said, context
        What the candidate says of those that may accuse it, and its own context.
    """
    manifest, output = champion.manifest, context.outputs.primary
    same_columns = manifest.inputs == live.specs and manifest.feature_names == context.features
    if not same_columns or manifest.outputs != context.outputs.specs:
        return False
    theirs = Context(champion.outputs, manifest.feature_names, champion.reference)
    answers = ask(live, sound_rows(live, context), ask_champion, champion.outputs)
    if judge_served(answers, theirs).sized:
        return have_parted(said, answers, context, output)
    if theirs.baseline is None:
        return False
    healthy = agreements_with(said, context, theirs.baseline, output)
    return any(
        each.lost
        for each in healthy
        if each.name != "direction" or not (context.outputs.withheld or champion.outputs.withheld)
    )
