# Sourced by tools/demo and tools/test: find a Python, make .venv, install kfg into it; find or install a browser.
# Usage: install_kfg [extra], e.g. install_kfg "[test]"

fail() {
    echo "error: $*" >&2
    exit 2
}

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python3.10 python; do
        if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.10 to 3.13 is needed; set PYTHON to one"
}

install_kfg() {
    local python
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then # none, or half of one
        python=$(find_python)
        [ -e .venv ] || trap 'rm -rf .venv' EXIT # leave no half of one
        "$python" -m venv .venv || fail ".venv: could not be made ($python needs its venv module)"
        trap - EXIT
    fi
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".$1" ||
        fail "kfg could not be installed into .venv; is a package index reachable?"
}

# Pages are tested in Chromium. Where there is none and none can be installed, those tests are skipped and say so.
install_chromium() {
    local name root=""
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v "$name" >/dev/null 2>&1 && return
    done
    [ "$(id -u)" = 0 ] || root="sudo -n"
    if command -v apt-get >/dev/null 2>&1 && $root apt-get update -qq >/dev/null 2>&1 &&
        DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq chromium >/dev/null 2>&1; then
        return
    fi
    echo "note: no chromium, and it could not be installed; the tests of the pages are skipped" >&2
}
