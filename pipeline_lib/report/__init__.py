"""One page per data set: every figure with its words and numbers, in a single HTML file that needs no network."""
