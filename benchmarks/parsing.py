"""What it costs to find the images of many manifests: cold, unchanged, and beside the same YAML read by ruamel itself.

    python benchmarks/parsing.py [--files 1000] [--lines 80] [--rounds 5]

One process, bytes in memory. "cold" parses every file, "unchanged" asks the scanner again with the same blob ids, "rewrite" moves
one tag in each file and proves it. The median round counts; CPU is that of this process. The limits that are promised: 1000 files
of 80 lines cold within 1.5 s, unchanged within 0.1 s. Exits with 1 where the CPU time is beyond them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ruamel.yaml import YAML  # noqa: E402

from bot.reading.scanning import Scanner  # noqa: E402
from rules.rewriting import rewrite  # noqa: E402
from rules.updates import Target  # noqa: E402

COLD, UNCHANGED = 1.5, 0.1  # seconds for a thousand files of 80 lines

_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-{n}
  labels: {{app.kubernetes.io/name: web-{n}, app.kubernetes.io/part-of: shop}}
spec:
  replicas: 3
  selector:
    matchLabels:
      app.kubernetes.io/name: web-{n}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: web-{n}
    spec:
      serviceAccountName: web
      initContainers:
        - name: migrate
          image: ghcr.io/acme/migrate-{n}:1.4.{n}
          command: ["migrate", "--wait"]
      containers:
        - name: web
          image: "ghcr.io/acme/web-{n}:1.4.{n}"  # the one that works
          ports:
            - name: http
              containerPort: 8080
          env:
"""
_VALUES = """\
# Values of shop {n}.
replicaCount: 2
image:
  registry: ghcr.io
  repository: acme/shop-{n}
  tag: "2.0.{n}"
  pullPolicy: IfNotPresent
sidecars:
  - name: proxy
    image: envoyproxy/envoy:v1.30.{n}
service: {{type: ClusterIP, port: 80}}
extraEnv:
"""
_VARIABLE = """\
{indent}- name: SETTING_{n}
{indent}  value: "the value of setting {n}"
"""


def manifests(files: int, lines: int) -> dict[str, bytes]:
    """Deployments and Helm values by turns, filled up with variables to the number of lines."""
    made = {}
    for n in range(files):
        head, indent, path = ((_DEPLOYMENT, " " * 12, f"apps/{n}/web.yaml"), (_VALUES, "  ", f"charts/{n}/values.yaml"))[n % 2]
        text = head.format(n=n)
        while text.count("\n") < lines - 1:
            text += _VARIABLE.format(indent=indent, n=text.count("\n"))
        made[path] = (text + "# the end\n" * (lines - text.count("\n"))).encode()
    return made


def measure(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """The median wall and CPU seconds."""
    spent = []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        spent.append((time.perf_counter() - wall, time.process_time() - cpu))
    return statistics.median(one[0] for one in spent), statistics.median(one[1] for one in spent)


def scan_all(scanner: Scanner, files: Mapping[str, bytes]) -> int:
    found = 0
    for path, data in files.items():
        scanned = scanner.read(path, path, lambda data=data: data)
        assert scanned.unread is None, scanned.unread
        found += len(scanned.occurrences)
    return found


def rewrite_all(scanner: Scanner, files: Mapping[str, bytes]) -> None:
    for path, data in files.items():
        first = scanner.read(path, path, lambda data=data: data).occurrences[0]
        assert rewrite(path, data, {first: Target("9.9.9")}) != data


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--lines", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()

    files = manifests(chosen.files, chosen.lines)
    size = sum(map(len, files.values())) / 1e6
    warm = Scanner()
    images = scan_all(warm, files)
    assert images == 2 * chosen.files, images
    reader = YAML(typ="safe")

    rows = {
        "cold": measure(lambda: scan_all(Scanner(), files), chosen.rounds),
        "unchanged": measure(lambda: scan_all(warm, files), chosen.rounds),
        "rewrite and prove": measure(lambda: rewrite_all(warm, files), min(chosen.rounds, 3)),
        "ruamel, safe load in C": measure(lambda: [reader.load(data) for data in files.values()], min(chosen.rounds, 3)),
    }
    print(f"{len(files)} files of {chosen.lines} lines, {size:.2f} MB, {images} images; load {os.getloadavg()[0]:.1f}\n")
    print(f"{'':24}{'wall s':>10}{'CPU s':>10}{'MB/s':>10}")
    for name, (wall, cpu) in rows.items():
        print(f"{name:24}{wall:>10.3f}{cpu:>10.3f}{size / wall:>10.1f}")
    scale = chosen.files * chosen.lines / 80_000
    return int(rows["cold"][1] > COLD * scale or rows["unchanged"][1] > UNCHANGED * scale)


if __name__ == "__main__":
    sys.exit(main())
