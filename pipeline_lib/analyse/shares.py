"""The pruned shares of the area's formula, apart from it: the workflow asks for them before anything heavy is imported."""

AREA_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)  # the thesis's; other shares of a study do not enter
