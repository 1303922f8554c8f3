"""Words in tags, and what a number beside them is.

A word that is not listed is fixed text. That is the safe side: a suffix that nobody knows is kept as it stands.
"""

from __future__ import annotations

# How mature a pre-release is: a smaller number is further from the release.
PRERELEASES = {
    "dev": 10, "snapshot": 10, "nightly": 10, "canary": 10, "unstable": 10, "experimental": 10, "exp": 10, "insiders": 10,
    "edge": 10, "next": 20, "alpha": 30, "beta": 40, "milestone": 45, "ea": 50, "pre": 50, "preview": 50, "test": 50,
    "rc": 60, "cr": 60,
}  # fmt: skip

# A number behind one of these counts builds: -r5, -build.7, -k3s1, -eksbuild.4, -security-01, 8u392.
COUNTERS = frozenset({
    "r", "rev", "revision", "b", "bld", "build", "buildnumber", "run", "job", "pipeline", "ci", "ls", "p", "patch", "post",
    "hotfix", "hf", "security", "u", "gke", "eks", "eksbuild", "k3s", "rke2r", "rancher",
})  # fmt: skip

# Names of branches and stages: a number behind one of these counts what was built there.
BRANCHES = frozenset({
    "main", "master", "trunk", "develop", "dev", "development", "staging", "stage", "test", "testing", "qa", "uat", "int",
    "preprod", "prod", "production", "release", "nightly", "edge", "snapshot",
})  # fmt: skip

# A number behind one of these is the version of something: to raise it is a step for a person.
RUNTIMES = frozenset({
    "alpine", "debian", "ubuntu", "centos", "fedora", "rocky", "rockylinux", "almalinux", "ubi", "el", "rhel", "suse", "sles",
    "amazonlinux", "al", "photon", "ltsc", "windows", "windowsservercore", "servercore", "nanoserver", "jdk", "jre", "java",
    "openjdk", "temurin", "corretto", "zulu", "graalvm", "semeru", "liberica", "python", "py", "cpython", "pypy", "node",
    "nodejs", "npm", "bun", "deno", "php", "fpm", "ruby", "jruby", "go", "golang", "rust", "gcc", "clang", "llvm", "dotnet",
    "aspnet", "sdk", "runtime", "perl", "swift", "kotlin", "scala", "sbt", "maven", "gradle", "otp", "erlang", "elixir", "pg",
    "postgres", "postgresql", "postgis", "mysql", "mariadb", "redis", "mongo", "mongodb", "elasticsearch", "opensearch",
    "cuda", "cudnn", "rocm", "spark", "hadoop", "hive", "kafka", "tomcat", "jetty", "nginx", "apache", "httpd", "solr", "neo4j",
    "odoo", "chrome", "firefox", "version", "ver", "v",
})  # fmt: skip

# A number behind one of these names a thing, as a branch name would: the next number is not its successor.
TOPICS = frozenset({
    "pr", "mr", "pull", "merge", "cherry", "issue", "issues", "feature", "feat", "fix", "bug", "bugfix", "ticket", "task",
    "story", "sprint", "topic", "refs", "change", "cl",
})  # fmt: skip
