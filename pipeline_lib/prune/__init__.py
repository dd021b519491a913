"""Selection rules, sweeps of pruned trainings, the run store."""
