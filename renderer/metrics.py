"""How alike two pictures are: PSNR and SSIM on float RGB in [0, 1], and their means over several views.

LPIPS, which needs torch, is in `fitting/perceptual.py`; pictures and plots of these figures in `renderer/report.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.errors import KilofieldError

Image = NDArray[np.floating]  # [H, W, 3] RGB in [0, 1]

SSIM_SIGMA = 1.5  # pixels; with the window cut at 3.5 sigma this is the 11 x 11 window of Wang et al. 2004
SSIM_WINDOW = 11  # pixels; smaller pictures have no SSIM
OBJECT_ALPHA = 1 / 255  # from this alpha on a pixel shows the object: the least an 8-bit picture can hold


def mean_squared_error(a: Image, b: Image) -> float:
    """The mean over pixels and channels of the squared difference, summed in float64."""
    if a.shape != b.shape:
        raise ValueError(f"images: expected two of one shape, found {a.shape} and {b.shape}")
    return float(np.mean(np.square(a.astype(np.float64) - b.astype(np.float64))))


def object_error(a: Image, b: Image, alpha: NDArray[np.floating]) -> float | None:
    """The mean squared error over the object's own pixels: where the reference's `alpha` [H, W] is at least 1/255.

    Empty surroundings are equal in both pictures and flatter the error over all pixels. None where there is no object.
    """
    shown = alpha >= OBJECT_ALPHA
    return mean_squared_error(a[shown], b[shown]) if shown.any() else None


def psnr_of_error(error: float) -> float:
    """The peak signal-to-noise ratio in dB of a mean squared error, for a peak of 1; infinite for an error of 0."""
    return -10 * math.log10(error) if error > 0 else math.inf


def psnr(a: Image, b: Image) -> float:
    """The peak signal-to-noise ratio in dB; infinite for equal images."""
    return psnr_of_error(mean_squared_error(a, b))


def ssim(a: Image, b: Image) -> float:
    """Structural similarity, mean over channels and pixels, 1 for equal images.

    The settings of Wang et al. 2004 ("Image quality assessment: from error visibility to structural similarity") that
    papers on radiance fields report: Gaussian weights with a sigma of 1.5 pixels, population covariance. Pictures
    under 11 x 11 pixels are a `KilofieldError`.
    """
    from skimage.metrics import structural_similarity

    height, width = a.shape[:2]
    if min(height, width) < SSIM_WINDOW:
        raise KilofieldError(
            f"SSIM: expected pictures of at least {SSIM_WINDOW}x{SSIM_WINDOW} pixels, found {width}x{height}"
        )
    score: Any = structural_similarity(
        a.astype(np.float64),
        b.astype(np.float64),
        data_range=1.0,
        channel_axis=2,
        gaussian_weights=True,
        sigma=SSIM_SIGMA,
        use_sample_covariance=False,
    )
    return float(score)


@dataclass(frozen=True)
class ViewScore:
    """How alike the two pictures of one camera are."""

    name: str
    error: float  # mean squared
    ssim: float
    lpips: float | None = None  # None: its weights are not on this machine
    object_error: float | None = None  # mean squared, over the object's own pixels; None: it has none here

    @property
    def psnr(self) -> float:
        """In dB; infinite for equal pictures."""
        return psnr_of_error(self.error)

    @property
    def object_psnr(self) -> float | None:
        """Over the object's own pixels, in dB; None where it has none."""
        return None if self.object_error is None else psnr_of_error(self.object_error)


@dataclass(frozen=True)
class MeanScore:
    """The figures of several views as one."""

    psnr: float  # dB, the mean of each view's PSNR, as papers report it; infinite if any view's is
    psnr_of_mean_error: float  # dB, all views taken as one large picture; never above the mean PSNR
    ssim: float
    lpips: float | None
    object_psnr: float | None = None  # dB, the mean over the views that show the object; None: none does
    object_views: int = 0  # views that show the object


def mean_score(views: Iterable[ViewScore]) -> MeanScore:
    """The means over `views`, of which there is at least one."""
    views = list(views)
    distances = [view.lpips for view in views if view.lpips is not None]
    object_psnrs = [view.object_psnr for view in views if view.object_psnr is not None]
    return MeanScore(
        psnr=float(np.mean([view.psnr for view in views])),
        psnr_of_mean_error=psnr_of_error(float(np.mean([view.error for view in views]))),
        ssim=float(np.mean([view.ssim for view in views])),
        lpips=float(np.mean(distances)) if len(distances) == len(views) else None,
        object_psnr=float(np.mean(object_psnrs)) if object_psnrs else None,
        object_views=len(object_psnrs),
    )


def decibels(value: float | None) -> str:
    """A PSNR as it is printed: two decimals, `inf` for identical pictures, a dash for none."""
    return "-" if value is None else f"{value:.2f}"


def objectless(mean: MeanScore, views: int) -> str:
    """A word on the views, of `views`, that the mean PSNR of the object leaves out; empty when it leaves out none."""
    left_out = views - mean.object_views
    if not left_out:
        return ""
    shows, is_not = ("shows", "is not") if left_out == 1 else ("show", "are not")
    return f"{left_out} of {views} cameras {shows} nothing of A and {is_not} in its object PSNR"


def json_number(value: float | None) -> float | None:
    """A figure as it is written to JSON, which has no infinity: null for the infinite PSNR of identical pictures."""
    return value if value is not None and math.isfinite(value) else None
