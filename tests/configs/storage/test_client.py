from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from configs import UserError
from configs.files import replace_text
from configs.storage import StorageConfig, StorageFailed, location, use_storage
from configs.storage.client import before_work, keys_in

if TYPE_CHECKING:
    from tests.object_store import Proxy, Server


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (
            (403, "ExpiredToken"),
            r"the store refuses \(ExpiredToken\); renew the credentials, and give the same command",
        ),
        ((403, "AccessDenied"), r"the store refuses \(AccessDenied\); get the right to do this"),
        ((403, "SignatureDoesNotMatch"), r"check the credentials \(storage.credentials\)"),
        ((503, "SlowDown"), r"the store refuses \(SlowDown\); wait until the store is less busy"),
        ((500, "InternalError"), r"the store refuses \(InternalError\); wait until the store answers again"),
        ("reset", r"the store cannot be reached .*; check the network and storage.endpoint"),
    ],
)
def test_what_a_store_says_is_one_line_with_a_remedy(
    bucket: Path, proxy: Proxy, object_store: Server, fault: Any, line: str
) -> None:
    use_storage(object_store.config(proxy.endpoint, retry_s=0.3))
    proxy.fault = lambda method, path: fault
    for ask in (lambda: replace_text(bucket / "x", "text"), lambda: list((bucket / "a").iterdir())):
        with pytest.raises(StorageFailed) as told:
            ask()
        assert "\n" not in str(told.value)
        assert str(told.value).startswith(f"{bucket}/")
    with pytest.raises(StorageFailed, match=line):
        (bucket / "x").read_bytes()


@pytest.mark.parametrize("fault", [(503, "SlowDown"), (500, "InternalError"), "reset", 0.2])
def test_what_may_yet_go_well_is_tried_again(bucket: Path, proxy: Proxy, fault: Any) -> None:
    times = iter([fault, fault])
    proxy.fault = lambda method, path: next(times, None)
    replace_text(bucket / "x", "text")
    times = iter([fault, fault])
    assert (bucket / "x").read_text() == "text"


def test_a_store_that_hangs_is_given_up(bucket: Path, proxy: Proxy, object_store: Server) -> None:
    use_storage(object_store.config(proxy.endpoint, retry_s=0.1, timeout_s=0.3))
    proxy.fault = lambda method, path: 2.0
    with pytest.raises(StorageFailed, match="the store cannot be reached"):
        (bucket / "x").read_bytes()


def test_before_work_it_is_the_users_error(bucket: Path) -> None:
    missing = location("s3://no-such-bucket/run")
    for ask in (missing.is_dir, missing.read_bytes, lambda: replace_text(missing / "x", "")):
        with (
            pytest.raises(
                UserError, match=r"^RUN s3://no-such-bucket.*\(NoSuchBucket\); make the bucket, or check its name"
            ),
            before_work("RUN"),
        ):
            ask()


def test_credentials_come_from_a_profile_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(
        "[a]\naws_access_key_id=1\naws_secret_access_key=2\naws_session_token=3\n[b]\naws_access_key_id=1\n"
    )
    assert keys_in(str(file), "a") == {"access_key_id": "1", "secret_access_key": "2", "token": "3"}
    for name, profile in (("keys", "b"), ("keys", "c"), ("none", "a")):
        with pytest.raises(
            UserError, match=rf"field 'storage.credentials': '.*{name}', profile '{profile}': cannot be read"
        ):
            keys_in(str(tmp_path / name), profile)


def test_gs_and_az_are_opened_by_the_library() -> None:
    use_storage(StorageConfig(anonymous=True))
    try:
        assert repr(location("gs://b/x").store) == 'GCSStore(bucket="b")'
        with pytest.raises(StorageFailed, match=r"az://c: .*Account must be specified"):
            location("az://c/x").exists()
    finally:
        use_storage(StorageConfig())


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"endpoint": "host:80"}, "endpoint"), ({"retry_s": 0}, "retry_s"), ({"cache_gigabytes": -1}, "cache_gigabytes"),
     ({"anonymous": True, "credentials": "x"}, "anonymous")],
)  # fmt: skip
def test_wrong_settings_name_their_field(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=f"field '{field}'"):
        StorageConfig(**wrong)
