"""Why a request of a tenant came to nothing, in words that hold no address: those of libraries do, with users and passwords."""

import aiohttp


def words(error: Exception) -> str:
    """Why there is no answer, for whoever sent the request."""
    match error:
        case aiohttp.ClientHttpProxyError():
            return f"the proxy answered {error.status}"
        case aiohttp.ClientProxyConnectionError():
            return f"the proxy can't be reached: {_told(error.os_error)}"
        case aiohttp.ClientConnectorError():
            return f"{error.host}: {_told(error.os_error)}"
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return "the answer is not valid HTTP, or not complete"
        case aiohttp.ServerDisconnectedError():
            return "the server closed the connection without an answer"
        case aiohttp.InvalidURL() | ValueError():
            return "not an address that a request can be sent to"
        case aiohttp.ClientError():
            return "the connection was lost"
        case _:
            return _told(error)


def _told(error: Exception) -> str:
    """What the operating system says, or the operator itself, which sends nothing to some addresses."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
