"""Registry credentials as clients send them."""

import msgspec

from wherry.api.call import Call


class RegistryAuth(msgspec.Struct, frozen=True):
    """The content of X-Registry-Auth, and of POST /auth."""

    username: str = ""
    password: str = ""
    auth: str = ""
    email: str = ""
    server_address: str = msgspec.field(name="serveraddress", default="")
    identity_token: str = msgspec.field(name="identitytoken", default="")
    registry_token: str = msgspec.field(name="registrytoken", default="")

    def __repr__(self) -> str:
        """Without its secrets: values end up in logs."""
        return f"RegistryAuth({self.username!r} at {self.server_address!r})"


def registry_auth(call: Call) -> RegistryAuth:
    """The credentials of a request; none where they are missing or broken, as in dockerd."""
    return call.header_json("X-Registry-Auth", RegistryAuth, RegistryAuth())
