"""What an attack does, in words, for the figures that show attacks."""

from collections.abc import Mapping


def how(settings: Mapping) -> str:
    """Say how an attack goes about it."""
    if settings["steps"] == 1:
        return "one step up the gradient of the loss" + (" from a random start" if settings["random_start"] else "")
    starts = f", best of {settings['restarts']} random starts" if settings["restarts"] > 1 else ", random start"
    return f"{settings['steps']} steps of {settings['step']:g} ε{starts if settings['random_start'] else ''}"
