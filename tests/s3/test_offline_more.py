"""More of what holds of an offline store on a disk and on S3 alike; apart, since it takes minutes."""

import pytest

from tests.offline.test_branches import (  # noqa: F401
    production,
    test_a_changed_view_shares_nothing_but_its_source_and_may_change_again,
    test_training_rows_of_a_branch_are_of_its_own_and_of_shared_partitions,
)
from tests.offline.test_materialize import (  # noqa: F401
    landed,
    test_a_corrected_day_changes_exactly_the_windows_that_reach_it,
    test_landing_the_same_rows_again_changes_nothing,
    test_state_is_carried_from_checkpoints_and_an_old_correction_is_not_missed,
)
from tests.offline.test_partitioned_tables import test_a_feature_can_be_added_and_removed  # noqa: F401
from tests.offline.test_repair import test_rows_of_a_source_are_never_landed_again  # noqa: F401
from tests.offline.test_training_sets import (  # noqa: F401
    filled,
    test_a_pinned_training_set_is_built_as_it_was,
    test_an_arrow_dataset_holds_the_same_rows,
    test_days_are_stale_until_built_from_the_values_that_their_rows_can_read,
    test_stored_rows_are_loaded_as_they_were_by_the_id_of_their_manifest,
)
from tests.offline.test_verify import (  # noqa: F401
    test_a_manifest_pinned_to_damaged_rows_is_not_reproducible_even_when_they_were_written_again,
    test_what_is_verified_of_a_view_is_all_that_is_stored_of_it,
)
from tests.s3.test_offline_core import store  # noqa: F401

pytestmark = pytest.mark.full
