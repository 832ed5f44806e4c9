"""A Databricks workspace in this process, for tests: it refuses what the real one refuses.

Proven with the official SDK (``nox -s standins``); facts from mlflow 3.17, databricks-sdk 0.156 and the
public reference of the REST API.
"""
