"""Pairs of land and ocean models, cell by cell, pooled with other families."""

from __future__ import annotations

import numpy as np

from hpcbudget.kernels import moments
from hpcbudget.maps.ensembles import _pairs
from hpcbudget.maps.votes import PARTS_OF_PROCESS


def state_of(samples):
    state = moments.empty_state(samples.shape[1])
    for values in samples:
        moments.push(state, values)
    return state


def test_moments_of_all_pairs():
    rng = np.random.default_rng(4)
    land, ocean = rng.normal(size=(3, 4)), rng.normal(size=(5, 4))
    land[:, 1] = np.nan  # only the ocean reaches
    ocean[:, 2] = np.nan  # only land
    land[0, 3] = np.nan
    land[:, 0] = ocean[:, 0][:3]
    other = rng.normal(size=(2, 4))
    pooled = state_of(other)
    moments.merge(
        pooled, _pairs(dict(zip(PARTS_OF_PROCESS, map(state_of, (land, ocean)), strict=True)))
    )
    mean, sd, _ = moments.describe(pooled, 1)
    for cell in range(4):
        parts = [part[np.isfinite(part[:, cell]), cell] for part in (land, ocean)]
        sums = np.add.outer(*(part if part.size else np.zeros(1) for part in parts))
        votes = np.concatenate([other[:, cell], sums.ravel()])
        assert pooled[moments.COUNT, cell] == votes.size
        np.testing.assert_allclose(mean[cell], votes.mean(), rtol=1e-13)
        np.testing.assert_allclose(sd[cell], votes.std(ddof=1), rtol=1e-13)
