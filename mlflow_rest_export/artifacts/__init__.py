"""Ways for artifacts into a run: ``chooser`` finds one for each file, each other module is one way."""
