"""Requests to addresses that a user names: which ones, and no way around.

A server that others can reach must not be made to call what only it can reach: itself, its
network, the metadata service of its cloud. A name is therefore looked up here, every address it
has is checked, and the connection is made to a checked address: a name that says something else
when asked again (DNS rebinding) gains nothing. TLS still checks the name.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


class RefusedAddressError(ValueError):
    """An address that this server does not call."""


def is_refused(address: str, allow_private: bool) -> bool:
    """Tell whether a numeric address must not be called.

    Parameters
    ----------
    address
        IPv4 or IPv6 address; one that wraps an IPv4 address counts as that.
    allow_private
        Whether loopback and private networks may be called. Link-local addresses, the metadata
        services of clouds among them, and multicast never are.
    """
    ip = _unwrapped(ipaddress.ip_address(address.partition("%")[0]))
    if ip.is_link_local or ip.is_multicast:
        return True
    return not (allow_private or ip.is_global)


def _unwrapped(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        return ip.ipv4_mapped or ip.sixtofour or ip
    return ip


def check_literal(host: str, allow_private: bool) -> None:
    """Refuse a host that is plainly no place to call; names are checked when they are called.

    Raises
    ------
    RefusedAddressError
        If `host` is an address, in any notation (``0x7f.1``), that must not be called.
    """
    with suppress(socket.gaierror):
        _addresses(host, 0, allow_private, socket.AI_NUMERICHOST)


def _addresses(host: str, port: int, allow_private: bool, flags: int = 0) -> list[str]:
    """Return the addresses of a host; a single bad one spoils them all."""
    try:
        found = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=flags
        )
    except UnicodeError as error:  # no name can be spelt like that
        raise socket.gaierror(f"{host!r} is not a host name") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if is_refused(address, allow_private):
            raise RefusedAddressError(
                f"{host} is at {address}, which this server does not call: it is not a public "
                "address"
            )
    return addresses


class OutgoingSession(requests.Session):
    """A session of `requests` that connects to checked addresses only.

    Parameters
    ----------
    allow_private
        See `is_refused`. Where private addresses are refused, the proxies of the environment
        are not used: they would look the name up again, unchecked.
    longest_s
        Seconds after which every connection of this session is cut, whatever it is doing: a
        time limit of `requests` only counts between two bytes.
    """

    def __init__(self, *, allow_private: bool, longest_s: float | None = None) -> None:
        super().__init__()
        self.is_over = False
        self._allow_private = allow_private
        self._deadline = None if longest_s is None else time.monotonic() + longest_s
        self._lock = threading.Lock()
        self._handles: list[socket.socket] = []
        self._timer: threading.Timer | None = None
        if longest_s is not None:
            self._timer = threading.Timer(longest_s, self.abort)
            self._timer.daemon = True
            self._timer.start()
        adapter = _Adapter(self)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def abort(self) -> None:
        """Cut every connection, now and later; may be called from any thread."""
        with self._lock:
            self.is_over = True
            for handle in self._handles:
                with suppress(OSError):
                    handle.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close all connections."""
        super().close()
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            for handle in self._handles:
                handle.close()
            self._handles.clear()

    def merge_environment_settings(self, *arguments: Any, **named: Any) -> Any:
        """Leave out proxies where they would undo the check."""
        settings = super().merge_environment_settings(*arguments, **named)
        if not self._allow_private:
            settings["proxies"] = {}
        return settings

    def connect(self, connection: HTTPConnection, plainly: Any) -> socket.socket:
        """Connect to the first checked address that answers.

        Parameters
        ----------
        connection
            The connection to be made; its ``host`` is a name.
        plainly
            Connects it to what its ``host`` says.
        """
        host = connection.host
        failure: Exception | None = None
        for address in _addresses(host, connection.port or 0, self._allow_private):
            if self.is_over or (self._deadline and time.monotonic() > self._deadline):
                break
            connection.host = address
            try:
                made: socket.socket = plainly()
            except Exception as error:
                failure = error
                continue
            finally:
                connection.host = host  # what TLS and the Host header go by
            self._keep(made)
            return made
        raise failure or TimeoutError(f"no connection to {host} in time")

    def _keep(self, made: socket.socket) -> None:
        """Keep a handle of our own by which the connection can be cut in whatever state it is."""
        with self._lock:
            if self.is_over:
                made.close()
                raise TimeoutError("the time for this request is over")
            self._handles.append(made.dup())


class _Adapter(HTTPAdapter):
    """Makes the connections of a session through `OutgoingSession.connect`."""

    def __init__(self, session: OutgoingSession) -> None:
        self._pools = _pools(session)
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        """Use the pools of checked connections."""
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = self._pools


def _pools(session: OutgoingSession) -> dict[str, Any]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return session.connect(self, super()._new_conn)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return session.connect(self, super()._new_conn)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
