#!/bin/sh
# Installs what the tests can use beyond Python packages, where this user may: a real registry, skopeo, an ssh server, a browser.
# A test that misses its tool skips and says so in one line.
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
