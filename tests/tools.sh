#!/bin/sh
# Installs what the tests can use beyond Python packages, where this user may: a real registry, skopeo, an ssh server, a browser.
# A test that misses its tool skips and says so in one line.

# GitHub's published schemas: our requests and the test server's answers are held against them.
schemas="$(dirname "$0")/.tools/github-schemas"
octokit="$schemas/node_modules/@octokit"
if [ ! -f "$octokit/graphql-schema/schema.graphql" ] || [ ! -f "$octokit/openapi/generated/api.github.com.json" ]; then
    if command -v npm >/dev/null 2>&1 && timeout 600 npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$schemas" \
        @octokit/graphql-schema@15 @octokit/openapi@23 >/dev/null 2>&1; then
        find "$octokit/openapi/generated" -name '*.json' ! -name api.github.com.json -delete
    else
        echo "GitHub's schemas could not be fetched by npm: the tests that need them skip"
    fi
fi

missing=""
for pair in docker-registry:docker-registry skopeo:skopeo sshd:openssh-server chromium:chromium; do
    program=${pair%%:*}
    package=${pair##*:}
    command -v "$program" >/dev/null 2>&1 || [ -x "/usr/sbin/$program" ] || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing for the tests:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >/dev/null 2>&1
    # shellcheck disable=SC2086
    for package in $missing; do
        apt-get install -y -qq --no-install-recommends "$package" >/dev/null 2>&1 || echo "could not install $package: its tests skip"
    done
else
    echo "not installed (their tests skip; needs root and apt):$missing"
fi
exit 0
