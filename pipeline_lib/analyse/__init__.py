"""From tables of runs and scores to tables of results: intervals and correlations."""
