# Shell that the scripts share; source it with `root` set to the checkout.

export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

say() { printf '%s\n' "── $*" >&2; }

fail() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
    exit 1
}

is_root() { [ "$(id -u)" = 0 ]; }

# Print those of the named Debian packages that are not installed.
missing_packages() {
    local package
    for package; do
        dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
            printf '%s\n' "$package"
    done
}

# Install what is missing of the named packages.  Needs root where something is.
need_packages() {
    local missing
    missing=$(missing_packages "$@" | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    is_root || fail "these packages are missing: $missing" \
        "run it once as root, or: apt-get install $missing"
    say "installing $missing"
    # shellcheck disable=SC2086
    install_quietly $missing
}

# apt-get install without starting, or leaving enabled, a service that comes
# with a package: this is somebody's machine, and it was only asked for tests.
install_quietly() (
    policy=/usr/sbin/policy-rc.d
    mark='# made by pam_totp scripts for one installation, safe to delete'
    if [ ! -e "$policy" ] || grep -qxF "$mark" "$policy"; then
        trap 'rm -f "$policy"' EXIT
        trap 'exit 1' HUP INT TERM
        printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
        chmod 755 "$policy"
    fi
    [ -n "$(find /var/lib/apt/lists -name '*_Packages*' -mmin -1440 -print -quit)" ] ||
        apt-get -qq update
    apt-get -qq -o Dpkg::Use-Pty=0 install --yes --no-install-recommends "$@" >&2 ||
        { apt-get -qq update && apt-get -qq -o Dpkg::Use-Pty=0 install --yes --no-install-recommends "$@" >&2; }
    for package; do
        for unit in $(dpkg -L "$package" | sed -n 's,^\(/usr\)\?/lib/systemd/system/\([^/@]*\.\(service\|socket\|timer\)\)$,\2,p'); do
            systemctl --quiet disable "$unit" 2>/dev/null || true
        done
    done
)
