"""The networks' answers to a few rows, made in NumPy, are those of the compiled programs."""

from __future__ import annotations

import numpy as np
import pytest

from featrix_server.engine.predictors import storage
from featrix_server.engine.predictors.features import Features, Inputs
from featrix_server.engine.predictors.host import HostNetworks
from featrix_server.engine.predictors.network_training import answer, log_chances


@pytest.mark.parametrize("trained", ["churn", "spent", "size"])
def test_a_few_rows_are_answered_as_many_are(request, shop, trained):
    folder = request.getfixturevalue(trained)[0]
    features = Features(shop.folder, storage.load_options(folder).target_column)
    stored = storage.load(folder, features)
    n_classes = len(stored.facts["classes"])
    rows = shop.table.rows(np.arange(40))
    rows[0] = dict.fromkeys(rows[0])
    rows[1] = dict.fromkeys(rows[1], "never seen")
    rows[2] = dict.fromkeys(rows[2], 1e30)
    for nets in stored.networks.values():
        host = HostNetworks(nets, features.layout, max(n_classes, 1))
        together = answer(
            nets, features.constants, Inputs.of_records(features, rows).rows, n_classes
        )
        for start in range(0, 40, 4):
            few = Inputs.of_records(features, rows[start : start + 4]).rows
            alone = log_chances(host.answer(few, n_classes), n_classes)
            np.testing.assert_allclose(alone, together[start : start + 4], rtol=1e-4, atol=1e-4)
