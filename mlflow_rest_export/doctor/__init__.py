"""Looks at everything between this machine and a run that is seen, layer by layer."""
