"""The version of Certifier: of the command line, and of what a stack was deployed from."""

VERSION = "0.1.0"
