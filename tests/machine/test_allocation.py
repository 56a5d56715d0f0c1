import subprocess
import sys

import pytest

PROGRAM = """
import psutil, torch
from mri_noise.machine.allocation import give_back_freed_memory, share_freed_memory
share_freed_memory()
held = [torch.ones(16000) for _ in range(2000)]
kept = held[-1]
del held
before = psutil.Process().memory_info().rss
give_back_freed_memory()
print((before - psutil.Process().memory_info().rss) / 1e6)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc")
def test_what_was_freed_before_something_that_is_kept_goes_back_to_the_system() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 64
