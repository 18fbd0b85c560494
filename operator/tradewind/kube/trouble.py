"""Messages for an unreachable API server, and for responses that don't come from an API server."""

import errno
import os
import re
import ssl
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp

LONGEST = 300
"""Characters of a response that are quoted."""
_WEB_PAGE = re.compile(r"\s*<(?:!doctype|html|head|body|\?xml)", re.IGNORECASE)
_TITLE = re.compile(r"<(title|h1)[^>]*>\s*([^<]+?)\s*</", re.IGNORECASE)


def unreachable(error: BaseException, server: str, request: str) -> str:
    """Why a request got no response, and what to check."""
    server, host, code = _address(server), urlsplit(server).hostname or server, _errno(error)
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"the certificate of {server} is not trusted: put its authority into the kubeconfig"
        case aiohttp.ClientConnectorDNSError():
            return f"there is no host {host}: check the cluster's address in the kubeconfig"
        case aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return f"{server} does not speak TLS correctly: check the cluster's address in the kubeconfig"
        case aiohttp.ClientOSError() | ConnectionError() if code == errno.ECONNREFUSED:
            return f"nothing listens at {server}: is the cluster up, and is this its address?"
        case aiohttp.ClientConnectorError() if code:
            return f"{server} can't be reached: {os.strerror(code).lower()}"
        case TimeoutError():
            return f"{server} took too long to answer {request}"
        case (
            aiohttp.ServerDisconnectedError()
            | aiohttp.ClientOSError()
            | ConnectionError()
            | aiohttp.ClientPayloadError()
        ):
            return f"{server} closed the connection before it had answered {request}"
        case _:
            return f"{server} did not answer {request} as HTTP has it: {str(error)[:LONGEST] or type(error).__name__}"


def _address(server: str) -> str:
    """The address without secrets: that of `tradewind dev` has a token as its path."""
    parts = urlsplit(server)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _errno(error: BaseException) -> int:
    inner = getattr(error, "os_error", error)
    return int(getattr(inner, "errno", None) or 0)


def strange(answer: bytes, status: int, server: str) -> str:
    """A message for a response that is not a JSON object."""
    server = _address(server)
    text = answer[:65_536].decode(errors="replace")
    try:
        code = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        code = str(status)
    if _WEB_PAGE.match(text):
        title = _TITLE.search(text)
        what = f"a web page ({' '.join(title[2].split())[:LONGEST]})" if title else "a web page"
        return f"{server} answered {code} with {what}: is this an API server, or a proxy before one?"
    words = " ".join(text.split())[:LONGEST]
    return f"{server} answered {code}{f': {words}' if words else ' without a message'}"
