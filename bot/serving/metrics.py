"""What Prometheus reads at `/metrics`. Each server has a registry of its own, so that two in one process do not mix."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from bot.forges.base import Standing, Usage
from bot.registries.pool import Registries
from rules.merging.deciding import STEPS

CONDITIONS = frozenset(step.name for step in STEPS)
"""Every name that a condition may have as a label."""

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """The figures of one server."""

    def __init__(self, registries: Registries | None = None, forges: Callable[[], Iterable[Usage]] = tuple[Usage, ...]) -> None:
        self.registry = CollectorRegistry()
        self.passes = Counter("tagboat_passes", "Passes over repositories, by how they ended", ["result"], registry=self.registry)
        self.duration = Histogram("tagboat_pass_seconds", "How long a pass takes", buckets=_SECONDS, registry=self.registry)
        self.lag = Histogram(
            "tagboat_event_seconds",
            "From an event to the end of the pass that it caused",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.opened = Histogram(
            "tagboat_request_seconds",
            "From an event to the end of a pass that opened or refreshed a request",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.webhooks = Counter(
            "tagboat_webhooks", "Webhooks, by sender and what became of them", ["sender", "outcome"], registry=self.registry
        )
        self.effects = Counter("tagboat_effects", "What passes did", ["kind"], registry=self.registry)
        self.depth = Gauge("tagboat_queue_depth", "Repositories that wait to be looked at", registry=self.registry)
        self.known = Gauge("tagboat_repositories", "Repositories that are looked at", registry=self.registry)
        self.open = Gauge("tagboat_open_requests", "Our open requests", registry=self.registry)
        self.waiting = Gauge("tagboat_waiting_requests", "Open requests that do not land yet", ["word"], registry=self.registry)
        self.conditions = Gauge(
            "tagboat_waiting_conditions",
            "Open requests that a condition keeps from landing, by its name",
            ["condition"],
            registry=self.registry,
        )
        self.alarms = Gauge("tagboat_alarms", "What a person has to see of the forges themselves", registry=self.registry)
        self.held = Gauge("tagboat_held_places", "Places that are held back", registry=self.registry)
        self.troubles = Gauge("tagboat_troubled_repositories", "Repositories whose last pass had trouble", registry=self.registry)
        if registries is not None:
            self.registry.register(_Hosts(registries))
        self.registry.register(_Forges(forges))

    def keeping(self, standings: Iterable[Standing]) -> None:
        """Count the conditions that keep requests from landing. The names are those of the rules' own table."""
        unmet = (one.name for standing in standings for one in standing.conditions if not one.met)
        found = Count(name if name in CONDITIONS else "other" for name in unmet)
        for name in (*CONDITIONS, "other"):
            self.conditions.labels(name).set(found[name])

    def text(self) -> bytes:
        """All figures in Prometheus's text format."""
        return generate_latest(self.registry)


class _Hosts(Collector):
    """Requests to registries and what they say is left, read when they are asked for."""

    def __init__(self, registries: Registries) -> None:
        self._registries = registries

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        requests = CounterMetricFamily("tagboat_registry_requests", "Requests to registries", labels=["host", "kind"])
        for (host, kind), count in sorted(self._registries.requests.items()):
            requests.add_metric([host, kind], count)
        yield requests
        quota = GaugeMetricFamily("tagboat_registry_quota", "What a registry says is left of our allowance", labels=["host"])
        for host, left in sorted(self._registries.quotas.items()):
            if left.remaining is not None:
                quota.add_metric([host], left.remaining)
        yield quota


class _Forges(Collector):
    """The same of forges. Rows of one host count together, and of what is left for each the least is told."""

    def __init__(self, forges: Callable[[], Iterable[Usage]]) -> None:
        self._forges = forges

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        sent: Count[tuple[str, str]] = Count()
        left: dict[tuple[str, str], int] = {}
        for usage in self._forges():
            for kind, count in usage.requests.items():
                sent[usage.host, kind] += count
            for kind, one in usage.left.items():
                left[usage.host, kind] = min(left.get((usage.host, kind), one.remaining), one.remaining)
        requests = CounterMetricFamily("tagboat_forge_requests", "Requests to forges", labels=["host", "kind"])
        for labels, count in sorted(sent.items()):
            requests.add_metric(labels, count)
        yield requests
        quota = GaugeMetricFamily("tagboat_forge_quota", "What a forge says is left of our allowance", labels=["host", "kind"])
        for labels, remaining in sorted(left.items()):
            quota.add_metric(labels, remaining)
        yield quota
