#!/bin/sh
# Debian packages that tests use: software OpenGL and furniture models for `densedepth data rooms`, ffprobe as a second
# opinion on videos, a browser for the studio. Installed where that is possible without a question (root, apt);
# elsewhere those tests skip and say what to install.
set -eu
packages="libegl1 libgl1-mesa-dri sweethome3d-furniture ffmpeg chromium"
command -v apt-get >/dev/null 2>&1 || exit 0
missing=
for package in $packages; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "some tests will skip; to run them: sudo apt install$missing" >&2
    exit 0
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
apt-get install -y -q --no-install-recommends $missing >/dev/null 2>&1 ||
    { apt-get update -q >/dev/null 2>&1 && apt-get install -y -q --no-install-recommends $missing >/dev/null 2>&1; } ||
    echo "could not install$missing: tests that need them will skip" >&2
