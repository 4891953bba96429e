"""A script in a worker process that starts anew: run again for what it defines.

`multiprocessing` imports its parent's main module in such a process, under the name
`__mp_main__`. For a script that `scripts.run` runs, that module is this one.
"""

import os
from pathlib import Path

from .cells import execute
from .import_hook import answer_torch_imports
from .program import SCRIPT, read

if __name__ == "__mp_main__":
    answer_torch_imports()
    execute(read(Path(os.environ[SCRIPT])), globals())
