"""The error classes of wherry.

```
WherryError
├── InvalidInput        the caller asked for something that makes no sense       400
├── Unauthenticated     credentials are missing or wrong                        401
├── NotPermitted        the kernel, a policy or a registry forbids it           403
├── NotFound            the named object does not exist                         404
├── Conflict            the object is in a state that forbids it, or a name is taken   409
├── PreconditionFailed  something that must be true first is not                412
├── Internal            a fault of ours                                         500
├── Corrupt             stored or received bytes are not what they claim to be  500
├── Unsupported         known, but not offered here                             501
└── Unavailable         a retry may help                                        503
```

Callers branch on the class. Subclasses live beside the code that raises them. The table of HTTP
statuses is `wherry.dockerapi.status`, used by server and client alike. The text is lower case,
names the object and the path or call, and says what to do where that is known.
"""


class WherryError(Exception):
    """Root of all errors that wherry raises on purpose."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else type(self).__name__


class InvalidInput(WherryError):
    """The request itself is wrong; repeating it cannot help."""


class Unauthenticated(WherryError):
    """Credentials are missing or were refused."""


class NotPermitted(WherryError):
    """A rule (kernel, policy, registry) forbids what was asked."""


class NotFound(WherryError):
    """The object that was named does not exist."""


class Conflict(WherryError):
    """The object's present state, or another object, stands in the way."""


class PreconditionFailed(WherryError):
    """Something that has to be true first is not."""


class Internal(WherryError):
    """A fault of wherry itself."""


class Corrupt(WherryError):
    """Bytes, stored or received, are not what they claim to be."""


class Unsupported(WherryError):
    """The request is understood, but this engine, kernel or user cannot do it."""


class Unavailable(WherryError):
    """Not possible now; a retry may help."""
