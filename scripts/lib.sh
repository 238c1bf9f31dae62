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
    log=$(mktemp)
    own_policy=
    if [ ! -e "$policy" ] || grep -qxF "$mark" "$policy"; then
        own_policy=$policy
        printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
        chmod 755 "$policy"
    fi
    trap 'rm -f "$log" $own_policy' EXIT
    trap 'exit 1' HUP INT TERM
    apt_install "$@" >"$log" 2>&1 || {
        # The lists may be old, or not there at all.
        apt-get -qq update
        apt_install "$@" >"$log" 2>&1
    } || {
        cat "$log" >&2
        fail "apt-get could not install: $*"
    }
    for package; do disable_services_of "$package"; done
)

apt_install() {
    apt-get -qq -o Dpkg::Use-Pty=0 install --yes --no-install-recommends "$@"
}

disable_services_of() {
    local unit
    command -v systemctl >/dev/null || return 0
    for unit in $(dpkg -L "$1" | sed -nE 's,.*/systemd/system/([^/@]+\.(service|socket|timer))$,\1,p'); do
        systemctl --quiet disable "$unit" >/dev/null 2>&1 || true
    done
}
