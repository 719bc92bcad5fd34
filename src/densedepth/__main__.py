"""`python -m densedepth` is `densedepth`."""

import sys

from densedepth.cli import main

sys.exit(main())
