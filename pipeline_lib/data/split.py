"""How many examples are held out: here alone, so that the code of trainings does not depend on what counts or reads sources."""


def held_out_of(examples: int, share: float) -> int:
    """Return how many examples of a class are held out: that share, but one at least stays on either side."""
    return min(max(1, round(share * examples)), examples - 1)
