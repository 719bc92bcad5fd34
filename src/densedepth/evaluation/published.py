"""Published results on the same test images, and why they may not be compared with ours number by number."""

from __future__ import annotations

from dataclasses import dataclass, field

from densedepth.evaluation.protocols import PROTOCOLS
from densedepth.evaluation.result import Evaluation

AUTHORS = "nyu-densedepth"
EIGEN = "nyu-eigen"


@dataclass(frozen=True)
class Published:
    """One row of somebody's table.

    Attributes:
        name: of the method.
        values: by our metric names; what was not published is missing.
        why: what else is different there, a sentence or more.
        protocol: name of the protocol whose crop was used, or None where we do not know.
        alignment: of predictions to the truth.
        ours: a result of DenseDepth itself, from the paper or the authors' programs.
    """

    name: str
    values: dict[str, float] = field(default_factory=dict)
    why: str = ""
    protocol: str | None = None
    alignment: str = "none"
    ours: bool = False

    def differences(self, result: Evaluation) -> str:
        """Why its numbers differ from those of ``result``, the conditions of both compared."""
        reasons = [self.why] if self.why else []
        if self.protocol is None:
            reasons.append("Crop as in its own paper, most often Eigen's.")
        elif self.protocol != result.protocol:
            reasons.append(f"Crop {PROTOCOLS[self.protocol].crop_text} ({self.protocol}); here {result.crop}.")
        if self.alignment != result.alignment:
            reasons.append(f"Alignment {self.alignment}; here {result.alignment}.")
        # Known of DenseDepth's own numbers only.
        if self.ours and not result.tta:
            reasons.append("Mirror averaging on; here off.")
        return " ".join(reasons)


def _row(*values: float | None, names: str = "delta1 delta2 delta3 abs_rel rmse log10") -> dict[str, float]:
    return {name: value for name, value in zip(names.split(), values, strict=True) if value is not None}


def _other(name: str, delta1: float, abs_rel: float | None, rmse: float, protocol: str | None = None) -> Published:
    values = _row(delta1, abs_rel, rmse, names="delta1 abs_rel rmse")
    return Published(name, values, "Another network with training data of its own.", protocol)


_NYU = (
    Published(
        "DenseDepth, the paper",
        _row(0.846, 0.974, 0.994, 0.123, 0.465, 0.053),
        "Trained on 50,688 NYU pairs. RMSE .465 is very probably the mean of per-image values: the same released "
        "weights give .5485 pooled over pixels.",
        AUTHORS,
        ours=True,
    ),
    Published(
        "DenseDepth, the paper, scaled",
        _row(0.895, 0.980, 0.996, 0.103, 0.390, 0.043),
        "Each prediction multiplied by median(truth) / median(prediction), so the truth of every test image was used: "
        "compare with --alignment median.",
        AUTHORS,
        "median",
        ours=True,
    ),
    Published(
        "DenseDepth, the authors' later script",
        _row(0.1274, 0.5485, names="abs_rel rmse"),
        "The paper's released weights. RMSE is pooled over all pixels. Truth and prediction stand in each other's "
        "place, so errors are divided by the prediction: in the right order abs rel is .1234, the paper's .123. "
        "It drops what batches of 6 leave over, of 654 nothing.",
        AUTHORS,
        ours=True,
    ),
    _other("Eigen et al.", 0.769, 0.158, 0.641),
    _other("Laina et al.", 0.811, 0.127, 0.573),
    _other("FastDepth", 0.771, None, 0.604),
    _other("Fu et al. (DORN)", 0.828, 0.115, 0.509),
    _other("BTS", 0.885, 0.110, 0.392, EIGEN),
    _other("AdaBins", 0.903, 0.103, 0.364, EIGEN),
    _other("ZoeDepth", 0.953, 0.077, 0.277),
    _other("Depth Anything-L", 0.984, 0.056, 0.206),
)

_KITTI = (
    Published(
        "DenseDepth, the paper",
        _row(
            *(0.886, 0.965, 0.986, 0.093, 0.589, 4.170, 0.171),
            names="delta1 delta2 delta3 abs_rel sq_rel rmse rmse_log",
        ),
        "Aggregation not said; the test part of the Eigen split.",
        ours=True,
    ),
)

#: First word of a data set's name to the rows for it.
_TABLES = {"nyu": _NYU, "kitti": _KITTI}
#: How many images the published numbers are for.
TEST_IMAGES = {"nyu": 654, "kitti": 697}


def published_for(dataset_name: str) -> tuple[Published, ...]:
    """Rows for a data set by its name in a result, such as "nyu test"; empty for one that nobody else has."""
    return _TABLES.get(dataset_name.partition(" ")[0], ())
