"""Writes the generated documents: ``python -m handbook`` (``make docs``).

Each page is a pure function of what the code says: the schema of a source, the parsers of the
command line, the settings of the stack, the catalogue of causes, the counts of the benchmarks.
``PAGES`` in ``handbook.pages`` is the table of them; a test compares each file with its page.
"""
