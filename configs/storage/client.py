"""Connections to buckets, and what their errors mean: one line with what, where and the remedy.

The library (obstore) tries again by itself what may yet go well: throttling, errors of the server, lost connections.
"""

from __future__ import annotations

import configparser
import contextlib
import datetime
import functools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from configs.errors import RunFailed, UserError
from configs.storage.config import StorageConfig, storage_in_use

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_KEYS_LAST = datetime.timedelta(minutes=5)
"""After so long a file of credentials is read again: whoever renews them replaces it. Chosen."""

_REMEDIES = {
    "ExpiredToken": "renew the credentials",
    "TokenRefreshRequired": "renew the credentials",
    "InvalidToken": "renew the credentials",
    "InvalidAccessKeyId": "check the credentials (storage.credentials)",
    "SignatureDoesNotMatch": "check the credentials (storage.credentials)",
    "AccessDenied": "get the right to do this, or check the credentials (storage.credentials)",
    "NoSuchBucket": "make the bucket, or check its name and storage.endpoint",
    "PermanentRedirect": "set storage.region to the bucket's",
    "AuthorizationHeaderMalformed": "set storage.region to the bucket's",
    "RequestTimeTooSkewed": "set the clock of this machine",
    "SlowDown": "wait until the store is less busy, or raise storage.retry_s",
    "ServiceUnavailable": "wait until the store answers again, or raise storage.retry_s",
    "InternalError": "wait until the store answers again, or raise storage.retry_s",
    "QuotaExceeded": "make room",
    "EntityTooLarge": "take smaller fragments (fragments.megabytes) or shards (pack.megabytes)",
}
_OF_STATUS = {"401": "AccessDenied", "403": "AccessDenied", "503": "SlowDown"}
"""Where an answer has no code: those to HEAD have no body."""


class StorageFailed(RunFailed):
    """An object store does not do what it is asked. ``where``: the URL; ``why``; what ``helps``. Survives pickling."""

    def __init__(self, where: str, why: str, helps: str) -> None:
        super().__init__(where, why, helps)
        self.where, self.why, self.helps = where, why, helps

    @property
    def line(self) -> str:
        """What is wrong and what helps, whether work had begun or not."""
        return f"{self.where}: {self.why}; {self.helps}"

    def __str__(self) -> str:
        return f"{self.line}, and give the same command again; what was finished before is whole"


@contextlib.contextmanager
def asking(where: str) -> Iterator[None]:
    """Makes what the library raises within the block a StorageFailed; that there is nothing, or already something, are
    answers and pass: FileNotFoundError, AlreadyExistsError, PreconditionError."""
    try:
        yield
    except FileNotFoundError as error:
        if "NoSuchBucket" not in str(error):
            raise
        raise StorageFailed(where, *_meaning(str(error))) from None
    except Exception as error:
        if not _is_library(error) or type(error).__name__ in ("AlreadyExistsError", "PreconditionError"):
            raise
        raise StorageFailed(where, *_meaning(str(error))) from None


@contextlib.contextmanager
def before_work(what: str) -> Iterator[None]:
    """For what is asked before anything is begun: a StorageFailed in the block becomes a UserError that names ``what``."""
    try:
        yield
    except StorageFailed as error:
        raise UserError(f"{what} {error.line}") from None


def bucket_of(scheme: str, bucket: str) -> ObjectStore:
    """The connection to a bucket, one for this process and its settings."""
    return _open(scheme, bucket, storage_in_use())


@functools.lru_cache(maxsize=64)
def _open(scheme: str, bucket: str, config: StorageConfig) -> Any:
    try:
        import obstore.store as library
    except ModuleNotFoundError:
        raise UserError(
            f"{scheme}://{bucket}: object stores need the Python package 'obstore'; pip install obstore"
        ) from None

    seconds = datetime.timedelta(seconds=1)
    options: dict[str, Any] = {
        "client_options": {
            "allow_http": (config.endpoint or "").startswith("http://"),
            "timeout": "1 hour",  # of one request with all its bytes: a shard on a slow line
            "read_timeout": f"{config.timeout_s:g} seconds",
            "connect_timeout": f"{min(config.timeout_s, 10):g} seconds",
        },
        "retry_config": {
            "max_retries": 1000,  # retry_s decides
            "retry_timeout": config.retry_s * seconds,
            "backoff": {"init_backoff": 0.1 * seconds, "max_backoff": 10 * seconds, "base": 2},
        },
    }
    with asking(f"{scheme}://{bucket}"):
        return {"s3": _s3, "gs": _gs, "az": _az}[scheme](library, bucket, config, options)


def polars_options() -> dict[str, str]:
    """What Polars is told of the store, which it asks by itself: its own names for the fields of ``storage``."""
    config = storage_in_use()
    keys = keys_in(config.credentials, config.profile) if config.credentials else {}
    told = {"region": config.region, "endpoint_url": config.endpoint, **keys}
    found = {f"aws_{name.replace('token', 'session_token')}": value for name, value in told.items() if value}
    if config.anonymous:
        found["aws_skip_signature"] = "true"
    return found | ({"aws_allow_http": "true"} if (config.endpoint or "").startswith("http://") else {})


def _s3(library: Any, bucket: str, config: StorageConfig, options: dict[str, Any]) -> Any:
    given = {"endpoint": config.endpoint, "region": config.region, "skip_signature": config.anonymous or None}
    if config.credentials:
        options["credential_provider"] = _Keys(config.credentials, config.profile)
    return library.S3Store(bucket, config={k: v for k, v in given.items() if v is not None}, **options)


def _gs(library: Any, bucket: str, config: StorageConfig, options: dict[str, Any]) -> Any:
    given = {"service_account": config.credentials, "skip_signature": config.anonymous or None}
    return library.GCSStore(bucket, config={k: v for k, v in given.items() if v is not None}, **options)


def _az(library: Any, bucket: str, config: StorageConfig, options: dict[str, Any]) -> Any:
    given = {"endpoint": config.endpoint, "skip_signature": config.anonymous or None}
    return library.AzureStore(bucket, config={k: v for k, v in given.items() if v is not None}, **options)


class _Keys:
    """Reads the keys of a profile from a file, again now and then."""

    def __init__(self, file: str, profile: str) -> None:
        self._file, self._profile = file, profile
        self()

    def __call__(self) -> dict[str, Any]:
        found = keys_in(self._file, self._profile)
        return found | {"expires_at": datetime.datetime.now(datetime.UTC) + _KEYS_LAST}


def keys_in(file: str, profile: str) -> dict[str, Any]:
    """access_key_id, secret_access_key and token, if there is one, of a profile. Raises UserError."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with open(file, encoding="utf-8") as text:
            parser.read_file(text)
        section = parser[profile]
        keys = {"access_key_id": section["aws_access_key_id"], "secret_access_key": section["aws_secret_access_key"]}
    except (OSError, UnicodeDecodeError, configparser.Error, KeyError) as error:
        why = (
            getattr(error, "strerror", None) or f"it has no {error}"
            if isinstance(error, KeyError | OSError)
            else "no INI"
        )
        raise UserError(f"field 'storage.credentials': '{file}', profile '{profile}': cannot be read: {why}") from None
    return keys | ({"token": section["aws_session_token"]} if "aws_session_token" in section else {})


def _is_library(error: Exception) -> bool:
    return type(error).__module__.split(".")[0] == "obstore"


def _meaning(text: str) -> tuple[str, str]:
    """(why, what helps) of what the library says."""
    found = re.search(r"<Code>(\w+)</Code>", text)
    status = re.search(r"status code: (\d+)", text)
    code = found[1] if found else _OF_STATUS.get(status[1], "") if status else ""
    if code or status:
        said = code if found else f"status {status[1]}" if status else code
        return f"the store refuses ({said})", _REMEDIES.get(code, "see what the store says to this")
    if "credential" in text.lower() or "169.254." in text:
        return "no credentials were found", "name a file of them (storage.credentials), or set storage.anonymous"
    first = " ".join(text.partition("Debug source")[0].split())
    why = re.sub(r"^Generic \w+ error: |Error performing \w+ \S+ in \S+(, after [^-]*)? - ", "", first)
    return f"the store cannot be reached ({why[:200]})", "check the network and storage.endpoint"
