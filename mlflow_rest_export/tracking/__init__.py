"""Tracking stores: where runs live. ``protocol`` says what the exporter needs, the others provide it."""
