"""Canonical URLs: two spellings of one address on the web become one text, by yarl, which aiohttp uses, too.

    HTTP://Example.COM:80/a/../b/%7Ec.png#top  ──>  http://example.com/b/~c.png

Host in lower case and in ASCII (IDNA), no default port, no dot segments, no fragment, escapes as RFC 3986 spells
them, percent signs of nothing escaped. The query stays as it is: its order may matter.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from pipeline.downloads.reasons import Stopped

if TYPE_CHECKING:
    from yarl import URL

_LONGEST = 8192
"""Characters of a URL; servers take 8 KB of request line at most; chosen."""
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")


def canonical(text: str) -> URL:
    """The URL as it is fetched, and compared. Raises Stopped (``bad_url``)."""
    from yarl import URL

    text = text.strip()
    if len(text) > _LONGEST:
        raise Stopped("bad_url", f"longer than {_LONGEST:,} characters")
    if "\0" in text or "\n" in text or "\r" in text:
        raise Stopped("bad_url", "a URL with line breaks or NUL characters")
    try:
        url = URL(text)
        host, port = url.raw_host, url.explicit_port  # names that IDNA does not know are found only now
    except (ValueError, UnicodeError) as error:
        raise Stopped("bad_url", f"no URL: {error}"[:200]) from None
    return _checked(url, host, port)


def join(base: URL, location: str) -> URL:
    """Where a redirect leads. Raises Stopped (``redirects``)."""
    from yarl import URL

    try:
        return canonical(str(base.join(URL(location.strip()))))
    except (ValueError, UnicodeError, Stopped) as error:
        raise Stopped("redirects", f"a redirect to {location[:80]!r}: {error}"[:300]) from None


def _checked(url: URL, host: str | None, port: int | None) -> URL:
    if url.scheme not in ("http", "https"):
        raise Stopped("bad_url", f"expected http or https, found '{url.scheme[:20]}'")
    if url.raw_user is not None or url.raw_password is not None:
        raise Stopped("bad_url", "a URL that carries a user or password")
    host = (host or "").removesuffix(".")
    if not _is_host(host):
        raise Stopped("bad_url", f"no host: {host[:80]!r}")
    if port == 0:
        raise Stopped("bad_url", "port 0")
    if host != url.raw_host:
        url = url.with_host(host)
    if url.raw_path == "/":  # also of a URL that ends with its host
        url = url.with_path("/", keep_query=True)
    return url.with_fragment(None)


def _is_host(host: str) -> bool:
    if ":" in host:
        try:
            return not ipaddress.IPv6Address(host).scope_id
        except ValueError:
            return False
    return len(host) <= 253 and bool(_NAME.fullmatch(host))
