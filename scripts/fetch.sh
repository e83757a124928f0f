#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# fetch.sh [VERSION...]: the source of these point releases (of the base, by
# default). Prints one path a line: a tarball, or the tree that the user named.
#
#	BASE_TARBALL=file	use this tarball for the base
#	KSRC=directory		use this v6.18.y git tree or unpacked source for the base
#
# Otherwise: the cache, the Debian archive, kernel.org, in that order. Whatever is
# downloaded must be what configs/base.versions pins.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

exec 3>&1 1>&2	# stdout is for the paths

tmp=
trap '[ -z "$tmp" ] || rm -rf "$tmp"' EXIT

sha256()
{
	sha256sum "$1" | cut -d' ' -f1
}

# tree_of SOURCE: what `git write-tree` says for it, less what Debian leaves out.
tree_of()
{
	unpack "$1" "$tmp/tree"
	rm -f "$tmp/tree/Documentation/netlabel/draft-ietf-cipso-ipsecurity-01.txt"
	git init -q "$tmp/tree"
	git -C "$tmp/tree" -c core.looseCompression=0 -c core.fsync=none \
		-c core.autocrlf=false add -Af .
	git -C "$tmp/tree" write-tree
	rm -rf "$tmp/tree"
}

# "URI keyring" of every apt source of this machine, likely Debian mirrors first.
apt_mirrors()
{
	local keyring=/usr/share/keyrings/debian-archive-keyring.gpg

	{
		# deb822: stanzas of "Field: value", fields may go on on the next lines
		find /etc/apt/sources.list.d -name '*.sources' -exec awk -v k=$keyring '
			function flush(  i, n, a) {
				n = off ? 0 : split(uris, a, " ")
				for (i = 1; i <= n; i++)
					print a[i], (key ~ /^\// ? key : k)
				uris = key = field = ""; off = 0
			}
			FNR == 1 || /^[ \t]*$/	{ flush() }
			/^#/			{ next }
			/^[^ \t]/		{ field = tolower($1); sub(/^[^:]*:[ \t]*/, "") }
			field == "uris:"	{ uris = uris " " $0 }
			field == "signed-by:"	{ key = key $1 }
			field == "enabled:"	{ off = tolower($1) == "no" }
			END			{ flush() }' {} +
		# one line: deb [options] URI suite component...
		cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
		awk -v k=$keyring '
			!/^[ \t]*deb(-src)?[ \t]/ { next }
			{
				key = k
				if (match($0, /\[[^]]*\]/)) {
					opts = substr($0, RSTART + 1, RLENGTH - 2)
					$0 = substr($0, 1, RSTART - 1) substr($0, RSTART + RLENGTH)
					if (match(opts, /signed-by=[^ \t,]*/))
						key = substr(opts, RSTART + 10, RLENGTH - 10)
				}
				print $2, key
			}'
	} 2>/dev/null |
	awk '!seen[$1]++ { print ($1 ~ /\/debian\/?$/ ? 0 : 1), $0 }' |
	sort -s -k1,1n | cut -d' ' -f2-
}

# from_debian VERSION: into $tmp. apt with a configuration of its own: the machine's
# sources, lists and cache stay as they are.
from_debian()
{
	local version=$1 debian uri keyring apt=$tmp/apt

	command -v apt-get >/dev/null || return 1
	debian=$(pinned 2 "$version")
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	while read -r uri keyring; do
		[ -r "$keyring" ] || continue
		echo "deb-src [signed-by=$keyring] $uri trixie-backports main" >"$apt/sources.list"
		set -- -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=- \
			-o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" \
			-o APT::Sandbox::User=root
		echo "== $uri"
		apt-get "$@" update &&
		(cd "$tmp" && apt-get "$@" source --download-only --tar-only \
			"linux=$version-$debian") &&
		mv "$tmp/linux_$version.orig.tar.xz" "$tmp/tarball" && return
	done < <(apt_mirrors)
	return 1
}

from_kernel_org()
{
	curl -fsSL --connect-timeout 15 --retry 2 -o "$tmp/tarball" \
		"https://cdn.kernel.org/pub/linux/kernel/v6.x/linux-$1.tar.xz"
}

# verified VERSION: $tmp/tarball is the pinned source. Another tarball than Debian's
# is the same source if it unpacks to the same tree.
verified()
{
	[ "$(sha256 "$tmp/tarball")" = "$(pinned 3 "$1")" ] ||
		[ "$(tree_of "$tmp/tarball")" = "$(pinned 4 "$1")" ]
}

# fetch VERSION: into the cache
fetch()
{
	local version=$1 tarball=$cache/linux-$1.tar.xz log=$build/log/fetch-$1 from

	[ -n "$(pinned 3 "$version")" ] ||
		die $EX_BUILD "$version is not in $versions: add it there, or use KSRC= or BASE_TARBALL="

	if [ -f "$tarball" ]; then
		# The checksum that was verified is kept next to the tarball.
		if [ "$(sha256 "$tarball")" = "$(cat "$tarball.sha256" 2>/dev/null || pinned 3 "$version")" ]; then
			echo "$tarball" >&3
			return
		fi
		say "$tarball: wrong checksum, fetching it again"
		rm -f "$tarball" "$tarball.sha256"
	fi

	mkdir -p "$cache"
	tmp=$(mktemp -d -p "$cache")
	for from in debian kernel_org; do
		run_logged "$log-$from.log" "fetching $version from ${from//_/.}" \
			"from_$from" "$version" 2>/dev/null || continue
		if verified "$version"; then
			sha256 "$tmp/tarball" >"$tarball.sha256"
			mv "$tmp/tarball" "$tarball"
			rm -rf "$tmp"
			say "$tarball: ok"
			echo "$tarball" >&3
			return
		fi
		say "what came from ${from//_/.} is not $version as $versions pins it"
	done
	tail -n 8 "$log"-*.log | sed 's/^/  | /'
	die $EX_BUILD "cannot fetch $version: see $log-*.log. Without network or with another mirror," \
		"name a tarball or tree: make BASE_TARBALL=linux-$version.tar.xz, or KSRC=directory"
}

# What the user named. A tarball must be what it says it is; a tree is the user's own.
named()
{
	local src version

	src=$(realpath -e "$1") || die $EX_BUILD "$1: not there"
	version=$(source_version "$src")
	case $version in
	6.18|6.18.*)	;;
	'')		die $EX_BUILD "$src: no kernel source: name a tarball or tree of v6.18.y" ;;
	*)		die $EX_BUILD "$src: v$version, but the series is for v6.18.y: name one of those" ;;
	esac

	if [ -d "$src" ] && [ ! -e "$src/.git" ] && [ -e "$src/include/config" ]; then
		die $EX_BUILD "$src has been built in: \`make mrproper\` there first"
	fi

	if [ -f "$src" ] && [ "$(sha256 "$src")" != "$(pinned 3 "$version")" ]; then
		if [ -z "$(pinned 4 "$version")" ]; then
			say "note: $src is v$version, which is not pinned: used unchecked"
		else
			tmp=$(mktemp -d)
			say "$src: not Debian's tarball, comparing its content"
			[ "$(tree_of "$src")" = "$(pinned 4 "$version")" ] ||
				die $EX_BUILD "$src: not v$version as released (wrong checksum and content):" \
					"fetch it again, or unpack it and say KSRC=directory to use it all the same"
		fi
	elif [ "$version" != "$base_version" ]; then
		say "note: $src is v$version, the series is made for v$base_version"
	fi
	echo "$src" >&3
}

if [ $# = 0 ] && [ -n "${KSRC:-}${BASE_TARBALL:-}" ]; then
	named "${KSRC:-$BASE_TARBALL}"
	exit
fi

for v in "${@:-$base_version}"; do
	fetch "$v"
done
