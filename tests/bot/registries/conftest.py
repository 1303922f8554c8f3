"""What the tests of registries share: the servers that they ask, and an environment without proxies."""

from collections.abc import Iterator

import pytest

from bot.registries.wire import forget_environment
from tests.servers.docker_registry import docker_registry as docker_registry
from tests.servers.docker_registry import docker_registry_with_login as docker_registry_with_login


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment without proxies and authorities, forgotten again afterwards."""
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    forget_environment()
    yield monkeypatch
    forget_environment()
