"""What boto3 raises, and what it lets through, arrives as an error of ours."""

import pytest
from urllib3.exceptions import IncompleteRead, ProtocolError

from feature_store.errors import StorageError
from feature_store.s3.boto import client_error


@pytest.mark.parametrize("cut_off", [ProtocolError("Connection reset by peer"), IncompleteRead(3, 5)])
def test_a_body_that_is_cut_off_is_trouble_of_the_storage(cut_off):
    told = r"s3://lake/log: it cannot be read.*see that S3 can be reached"
    with pytest.raises(StorageError, match=told), client_error("s3://lake/log", "it cannot be read"):
        raise cut_off
