"""The environment that a started program gets: what it needs, and none of its starter's rest."""

import os

_HANDED_DOWN = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "JAVA_HOME", "SSL_CERT_FILE")


def bare_environment(**settings: str) -> dict[str, str]:
    """Where programs and temporary files are, and `settings`."""
    handed_down = {name: os.environ[name] for name in _HANDED_DOWN if name in os.environ}
    return handed_down | settings
