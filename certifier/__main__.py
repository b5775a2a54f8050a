"""``python -m certifier``."""

import sys

from certifier.cli import main

sys.exit(main())
