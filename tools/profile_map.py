"""Profile a noise map and print where its time goes, one slice of the sample scan by default."""

import argparse
from collections import deque
from pathlib import Path

from pyinstrument import Profiler

from mri_noise.experiment import Experiment, read_experiment
from mri_noise.io.formats import open_scan
from mri_noise.pipeline import StageCache, prepare, run
from mri_noise.settings import override

SAMPLE = Path(__file__).parents[1] / "sample_data" / "brain_phantom.h5"


def profiled(path: Path, experiment: Experiment, index: int) -> Profiler:
    """Map one slice under a statistical profiler, after what is loaded once was loaded."""
    scan, cache = open_scan(path), StageCache()
    prepare(scan, experiment, index, StageCache())
    with Profiler(async_mode="disabled") as profiler:
        deque(run(scan, experiment, slices=[index], cache=cache), maxlen=0)
    return profiler


def main() -> None:
    """Print the tree of calls, with the share of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scan", nargs="?", type=Path, default=SAMPLE)
    parser.add_argument("-e", "--experiment", type=Path, help="a YAML file")
    parser.add_argument("-s", "--set", action="append", default=[], metavar="a.b=c", help="as of 'mri-noise run'")
    parser.add_argument("--slice", type=int, default=0)
    parser.add_argument("--html", type=Path, help="write the whole profile as a page too")
    arguments = parser.parse_args()
    chosen = Experiment() if arguments.experiment is None else read_experiment(arguments.experiment)
    profiler = profiled(arguments.scan, override(chosen, arguments.set), arguments.slice)
    print(profiler.output_text(show_all=False, unicode=True, timeline=False))
    if arguments.html is not None:
        arguments.html.write_text(profiler.output_html(), encoding="utf-8")


if __name__ == "__main__":
    main()
