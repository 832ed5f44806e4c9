"""Jobs of nemo-evaluator-launcher: their folders, stages, results, settings and files."""
