"""The servers that the tests of registries ask."""

from tests.servers.docker_registry import docker_registry as docker_registry
from tests.servers.docker_registry import docker_registry_with_login as docker_registry_with_login
