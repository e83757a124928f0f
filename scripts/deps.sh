#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# deps.sh [ARCH...]: what must be installed to build and boot these architectures
# (all, by default). Root gets it installed, others are told what to install.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

missing()
{
	local p

	for p; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] ||
			echo "$p"
	done
}

# --no-remove: never at the price of something that is installed.
install()
{
	DEBIAN_FRONTEND=noninteractive \
		apt-get install -y --no-install-recommends --no-remove "$@"
}

mapfile -t want < <(sed 's/#.*//' "$top/configs/packages" | xargs -n 1)
optional=() all=()

[ $# != 0 ] || read -ra all < <(arch_list)
for a in "$@" "${all[@]}"; do
	arch_load "$a"
	want+=("${packages[@]}")
	optional+=("${packages_optional[@]}")
done

if ! command -v dpkg-query >/dev/null; then
	say "not a Debian machine; these packages, under its own names, are needed: ${want[*]}"
	exit 0
fi

mapfile -t miss < <(missing "${want[@]}")
mapfile -t extra < <(missing "${optional[@]}")

if [ ${#miss[@]} = 0 ] && { [ ${#extra[@]} = 0 ] || [ "$(id -u)" != 0 ]; }; then
	exit 0
fi

if [ "$(id -u)" != 0 ]; then
	die $EX_BUILD "packages are missing. As root: apt-get install ${miss[*]}" \
		"(or DEPS=skip, if the tools are there all the same)"
fi

log=$build/log/deps.log updated=

# Lists that are old or not there at all make the first attempt fail.
try()
{
	run_logged "$log" "installing $*" install "$@" 2>/dev/null && return
	[ -n "$updated" ] || run_logged "$log" "apt-get update" apt-get update || return
	updated=1
	run_logged "$log" "installing $*" install "$@"
}

if [ ${#miss[@]} != 0 ]; then
	try "${miss[@]}" || die $EX_BUILD "installation failed: see $log, then apt-get install ${miss[*]}"
fi

for p in "${extra[@]}"; do
	try "$p" || say "not installed, tests of 32-bit programs are left out: $p (optional; see $log)"
done
