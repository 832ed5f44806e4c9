"""Result formats: one module each, which reads files and gives ``RunRecord``s.

A source module offers three names:

- ``NAME``: what ``--format`` calls it;
- ``recognises(path)``: whether the file or folder is in this format, judged by content, never by name alone;
- ``read(path, options)``: the records, and an ``Unreadable`` for each result that cannot be read. It never
  raises for bad input: one broken result costs itself, not its siblings.
"""
