"""Every constant of the estimators that was tuned, with what it was tuned on, and when.

Sections are those of ``docs/estimators.md``, measured by ``benchmarks/bench_estimators.py``; dates are those of the
change that brought the value. Where no section is named, no measurement of other values is recorded. Numbers that
follow from geometry or from arithmetic stand where they are used.
"""

ALIKE_ON_A_LATTICE = 24.0
"""Voxels whose errors are alike in a probed lattice, which widens the bound of its error for small objects.

Such that about 95 % of errors are within their bounds: 1.065 times the prediction for the 7292 voxels of the sample
scan, 1.15 times with the optimism of pilots along lines ("The pilots", 15 cases with 12 draws each). 2026-11-26.
"""
ALIKE_IN_A_SKETCH = 5.5
"""The same of forward products: 1.2 to 5.2 by the rows of every case ("The pilots"). 2026-11-26."""

PILOTS_ALONG_LINES, OPTIMISM_ALONG_LINES = 24, 1.08
"""Pilots before the first plan, and how much worse the lattice that looks best in their rows is in the others.

Masks of lines: 97 % of 15 cases with 12 draws each within their targets ("The pilots"). 2026-11-28.
"""
PILOTS_OVER_AN_AREA, OPTIMISM_OVER_AN_AREA = 12, 1.03
"""The same where noise aliases over an area.

Poisson discs: all of 20 draws within 5, 3, 2 and 1 %, judged by all 7292 voxels ("The pilots"). 2026-11-28.
"""
ALIASES_OVER_AN_AREA = 4.0
"""Displacements over which noise aliases, in sides of the image, from which on that is over an area.

Lines have at most 1.4, Poisson discs and random points 17 and more ("The pilots"). 2026-11-28.
"""
PILOT_SHARE_OF_ROWS = 0.05
"""Products of pilots per product of the map, at least.

97 % of 15 cases with 12 draws each within their targets ("The pilots"); 4 or 12 bundles for every map were within them
more rarely at 1 %, and dearer at 5 % ("What did not pay"). 2026-11-26.
"""
ROWS_APART, ROWS_OF_A_BUNDLE = 10, 6
"""Least distance of the pilots of a bundle [voxels], and their number at most.

4 of them, and 12 of them 7 apart, had a smaller gain ("What did not pay"). 2026-11-26.
"""

DENSITY_ITERATIONS, DENSITY_WIDTH, DENSITY_NEAR = 8, 1.5, 3.0
"""How energy is shared among the pilots of a bundle: iterations, smoothing [voxels], and where the first guess halves.

With them the density of bundles is that of single rows (``tests/variance/lattice/test_bundles.py``). 2026-11-26.
"""

REACHES = (4, 8)
"""How far apart voxels are whose covariance counts, in adjoint products alone [voxels]; pilots choose among them.

The near ones see less aliasing. 2026-11-26.
"""
OPTIMISM_OF_KERNELS = 1.22
"""How much worse a lattice is than the kernels of its pilots say.

Of 72 maps of 64 x 64 voxels of two networks, for targets of 1, 2 and 5 %, none was further from the truth; widened for
the U-Net on 40 x 40 ("The pilots"). 2026-11-27.
"""
PILOT_SHARE_OF_KERNELS, FIRST_PRODUCTS_OF_KERNELS = 0.1, 4
"""Products of pilots per product of the map, and before the first plan, where kernels plan.

36 maps of 64 x 64 voxels for 5, 2 and 1 % were within 0.86 of their targets ("The pilots"). 2026-11-27.
"""
KERNELS_APART, KERNELS_OF_A_BUNDLE = 16, 40
"""Least distance of voxels whose kernels share a product [voxels], and their number at most.

Their variances are within 0.5 to 1 % of those of a product each ("The pilots"). 2026-11-27.
"""

MARGIN_OF_MEASURED_ERRORS = 1.1
"""By how much the measured error of quadrature pairs is below the target when probing ends.

It is known to a few per cent ("The stopping rule and the standard errors"). 2026-11-25.
"""
LEAST_SAVING_OF_PAIRS = 0.2
"""Of a lattice of pairs over forward products, as a share of these.

Their error is a law, and one that pilots promise too small takes more pairs: at 3 % on the 16-channel brain a lattice
took 1.6 times the replicas of Monte Carlo, forward products 1.1 times ("What came out"). 2026-11-27.
"""

CONTROL_TIKHONOV, CONTROL_REACH = 0.07, 2
"""Control variates: the weight of the SENSE image's regularisation, in units of the largest power of the coil maps, and
how far around a voxel it is taken, in city blocks.

Other weights and neighbourhoods of four cases are in "What did not pay". 2026-11-27.
"""
COEFFICIENT_RIDGE = 1e-4
"""Relative, on the diagonal of the normal equations: neighbours of a smooth image are all but collinear. 2026-11-27."""
SAMPLES_BEFORE_THE_FIRST_FIT, GROWTH_BETWEEN_FITS, SAMPLES_LEARNED_FROM = 24, 1.5, 81
"""Samples before coefficients of control variates are learned, from how many times as many anew, and when for the last
time.

81 samples in half precision are what a voxel has memory for ("Memory"). 2026-11-27.
"""
SHARED_UNEXPLAINED = 1.5
"""What coefficients that neighbours share leave unexplained, in units of what those of each voxel's own leave.

1.3 to 2 in fits to samples (``docs/theory.md``, control variates). 2026-11-27.
"""

ERROR_WIDTH = 2.0
"""Width of the neighbourhood over which squared errors are averaged [voxels].

The error of a voxel comes from other voxels, so that neighbours tell it too. 2026-11-26.
"""
SHRINKAGE_WIDTHS, SHRINKAGE_POOL = (0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0), 3.0
"""Widths of the neighbourhood that a finished map may shrink towards, and that over which errors are averaged [voxels].

U-Net on 40 x 40: 12.6 to 9.9, 6.8 to 6.1, 3.6 to 3.4 and 2.2 to 2.1 % ("What did not pay"). 2026-11-25.
"""

FIRST_LOOK_WIDTH = 1.5
"""Smoothing of the first look [voxels]. 2026-11-25."""
EXCESS_WIDTHS, EXCESS_POOL = (1.2, 4.0), 14.0
"""Widths of the neighbourhoods over which what pairs say is averaged, and that of their sizes and errors [voxels].

Three brains, 4 to 16 pairs: errors of 3.9 to 1.6 % within 3 % of those of five widths, stated to 0.90 to 0.99 of what
they are; with a pool of 4 voxels 0.83 to 0.97. 2026-12-01.
"""
EVALUATIONS_OF_A_PAIR = 3
"""Two reconstructions of opposite noise and one product, which is that of the opposite noise too."""
BOUND_OF_PAIRS, GROWTH_OF_PAIRS = 1.08, 1.25
"""95 % bound of what pairs leave over what they say of it, and the steps in which numbers of pairs are looked at.
2026-12-01.
"""
SCALE_WIDTH, LEAST_SCALE = 1.5, 0.3
"""Smoothing of a variance by which others are made relative [voxels], and its least value, relative to the mean around.
2026-12-01.
"""
LEAST_OF_LINEAR = 0.05
"""Least variance of a voxel, in units of that of its linear part: few pairs may say less than nothing. 2026-12-01."""
LINEAR_TO_ROUNDING = 1e-8
"""Share of the variance that may be left of a reconstruction that is linear: single precision leaves 1e-13 to 1e-10.
2026-12-01.
"""
NEGLIGIBLE_REMAINDER = 1e-3
"""The same of the magnitude of an image that is linear in the noise: with it a std is off by half of that. 2026-12-01.
"""
NEGLIGIBLE_BIAS, TOLERABLE_BIAS = 0.01, 0.05
"""Errors of a linearised std map that are not mentioned, and from which on a reconstruction is called not linear.

What few pairs say of such errors is set beside what many others say in "The linearity check". 2026-11-25.
"""
LARGEST_ROUNDING = 0.01
"""Relative error of a probe that a derivative in bfloat16 may make: a third of the default target. 2026-11-28."""
