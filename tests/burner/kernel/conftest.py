"""Nothing here is collected but in the kernel of `make test-burner`, which has the module for such drives.

There the preloaded library leaves every device alone; it only cuts the waits of the burn programs.
"""

import os

from tests.burner.kernel.bridge import CONTROL

collect_ignore_glob = [] if CONTROL.exists() else ["test_*.py"]
if CONTROL.exists():
    os.environ |= {"FAKEBURN_SOCK": "/none", "FAKEBURN_DEVS": "/none", "FAKEBURN_MAXSLEEP": "1000"}
