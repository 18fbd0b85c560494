"""Why a request of a tenant failed, in words without addresses: the messages of libraries contain them, with users and passwords."""

import aiohttp


def words(error: Exception) -> str:
    """Why there is no response, for the author of the request."""
    match error:
        case aiohttp.ClientHttpProxyError():
            return f"the proxy answered {error.status}"
        case aiohttp.ClientProxyConnectionError():
            return f"the proxy can't be reached: {_system_words(error.os_error)}"
        case aiohttp.ClientConnectorError():
            return f"{error.host}: {_system_words(error.os_error)}"
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return "the answer is not valid HTTP, or not complete"
        case aiohttp.ServerDisconnectedError():
            return "the server closed the connection without an answer"
        case aiohttp.InvalidURL() | ValueError():
            return "not an address that a request can be sent to"
        case aiohttp.ClientError():
            return "the connection was lost"
        case _:
            return _system_words(error)


def _system_words(error: Exception) -> str:
    """The error text of the operating system, or of the operator for addresses that it refuses."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
