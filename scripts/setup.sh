#!/usr/bin/env bash
# Everything `make demo` and `make test` need, from a bare Debian or Ubuntu: virtual environment, pinned packages,
# OpenGL. Only missing things are installed. As root system packages come from apt; otherwise the command is printed.
set -euo pipefail

VENV=.venv

say() { printf 'setup: %s\n' "$*"; }

fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

# apt_install WHY PACKAGE...: installs as root, otherwise prints the command and stops.
apt_install() {
    local why=$1
    shift
    if ! command -v apt-get >/dev/null; then
        fail "$why; this is not a Debian or Ubuntu, so please install what these packages hold: $*"
    fi
    if [[ $(id -u) -ne 0 ]]; then
        fail "$why; please run this, then try again:" "  sudo apt-get update && sudo apt-get install -y $*"
    fi
    say "$why: installing $*"
    apt-get update -qq >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Python 3.10 to 3.13: what the pinned packages have wheels for.
fits() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

find_python() {
    local candidate
    if [[ -n ${KILOFIELD_PYTHON:-} ]]; then
        fits "$KILOFIELD_PYTHON" || fail "KILOFIELD_PYTHON=$KILOFIELD_PYTHON: expected Python 3.10 to 3.13"
        printf '%s' "$KILOFIELD_PYTHON"
        return
    fi
    for candidate in python3 python3.13 python3.12 python3.11 python3.10; do
        if command -v "$candidate" >/dev/null && fits "$candidate"; then
            printf '%s' "$candidate"
            return
        fi
    done
    return 1
}

make_venv() {
    local python version
    if [[ -x $VENV/bin/python ]] && fits "$VENV/bin/python" && "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
        return
    fi
    if ! python=$(find_python); then
        [[ -z ${KILOFIELD_PYTHON:-} ]] || exit 1
        apt_install 'no Python 3.10 to 3.13 found' python3 python3-venv
        python=$(find_python) || fail "no Python 3.10 to 3.13 found: install one and set KILOFIELD_PYTHON to it"
    fi
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        apt_install "Python's venv module is missing" "python$version-venv"
    fi
    say "making $VENV with $("$python" --version)"
    "$python" -m venv --clear "$VENV"
}

install_packages() {
    say 'installing the packages of requirements.lock'
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements.lock
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
}

check_opengl() { "$VENV/bin/python" scripts/check_opengl.py; }

mesa_packages() { "$VENV/bin/python" -c 'from renderer.context import MESA_PACKAGES; print(MESA_PACKAGES)'; }

ensure_opengl() {
    local found
    if ! found=$(check_opengl 2>&1); then
        # shellcheck disable=SC2046  # one word a package
        apt_install "no OpenGL found" $(mesa_packages)
        found=$(check_opengl 2>&1) || fail "still none after installing Mesa: $found"
    fi
    say "OpenGL: $found"
}

# The window's tests draw on a virtual display, some with a hand for mouse and keys. Without, they skip; in CI they fail.
ensure_display() {
    local missing=()
    command -v Xvfb >/dev/null || missing+=(xvfb)
    command -v xdotool >/dev/null || missing+=(xdotool)
    ((${#missing[@]})) || return 0
    if command -v apt-get >/dev/null && [[ $(id -u) -eq 0 ]]; then
        apt_install "no ${missing[*]} found" "${missing[@]}"
    else
        say "no ${missing[*]} found, so tests of the window will skip; on Debian or Ubuntu:"
        say "  sudo apt-get update && sudo apt-get install -y ${missing[*]}"
    fi
}

# main [display]: everything, or the virtual display of the tests alone.
main() {
    cd "$(dirname "${BASH_SOURCE[0]}")/.."
    if [[ ${1:-} == display ]]; then
        ensure_display
        return
    fi
    make_venv
    install_packages
    ensure_opengl
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
    main "$@"
fi
