"""MLflow hosts: from a tracking URI to a ``Target``, one module a kind of host."""
