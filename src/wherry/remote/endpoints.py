"""Which URLs stand for a registry's name, and how far their certificates matter."""

import ipaddress
import os
import ssl
import urllib.request
from typing import NamedTuple
from urllib.parse import urlsplit

from wherry.kit.errors import InvalidInput
from wherry.oci.reference import DEFAULT_DOMAIN
from wherry.remote.settings import Settings

HUB = "registry-1.docker.io"
_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


class Endpoint(NamedTuple):
    """One way to reach a registry."""

    url: str
    """Without the `/v2/`, no slash at the end."""
    secure: bool = True
    """Whether a certificate must be good."""
    mirror: bool = False

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.url).netloc


def lookup(domain: str, settings: Settings) -> tuple[Endpoint, ...]:
    """The endpoints to try in their order. Raises InvalidInput for a broken mirror URL."""
    if domain == DEFAULT_DOMAIN:
        mirrors = tuple(_mirror(text, settings) for text in settings.mirrors)
        return (*mirrors, Endpoint(f"https://{HUB}"))
    if is_insecure(domain, settings):
        return Endpoint(f"https://{domain}", False), Endpoint(f"http://{domain}", False)
    return (Endpoint(f"https://{domain}"),)


def is_insecure(domain: str, settings: Settings) -> bool:
    """Whether plain HTTP will do. Names are compared as they are written, not looked up."""
    name = urlsplit(f"//{domain}").hostname or ""
    if name == "localhost" or domain in settings.insecure or name in settings.insecure:
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return any(address in network for network in (*_LOOPBACK, *_networks(settings.insecure)))


def _networks(texts: tuple[str, ...]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    found = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text, strict=False))
        except ValueError:  # a host name: compared above
            continue
    return found


def _mirror(text: str, settings: Settings) -> Endpoint:
    url = text if text.startswith(("http://", "https://")) else f"https://{text}"
    parts = urlsplit(url)
    if not parts.netloc or parts.query or parts.fragment or parts.username:
        raise InvalidInput(f"invalid mirror: {text!r}: want http[s]://host[:port][/path]")
    return Endpoint(url.rstrip("/"), not is_insecure(parts.netloc, settings), True)


def tls(endpoint: Endpoint, settings: Settings) -> ssl.SSLContext | bool:
    """The TLS settings for an endpoint, with what its certificate folder adds.

    Without a folder aiohttp's own kept contexts (True checks, False does not) are as good and do
    not cost the 20 ms of reading all authorities.
    """
    folder = f"{settings.certificates}/{endpoint.host}"
    if not os.path.isdir(folder):
        return endpoint.secure
    context = ssl.create_default_context()
    if not endpoint.secure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for name in sorted(os.listdir(folder)):
        if name.endswith(".crt"):
            context.load_verify_locations(f"{folder}/{name}")
        elif name.endswith(".cert"):
            context.load_cert_chain(f"{folder}/{name}", f"{folder}/{name[:-5]}.key")
    return context


def proxy_for(url: str) -> str | None:
    """The proxy the environment names for a URL (HTTP_PROXY, HTTPS_PROXY, NO_PROXY).

    Never one for loopback, as in Go. aiohttp's own way would read ~/.netrc as well.
    """
    parts = urlsplit(url)
    if is_insecure(parts.netloc, Settings()) or urllib.request.proxy_bypass(parts.netloc):
        return None
    return urllib.request.getproxies().get(parts.scheme)
