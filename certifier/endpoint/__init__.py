"""One DMS endpoint: its facts, the fields that Certifier manages, and when a test result counts."""
