#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# export.sh [--check]: write patches/, series and the copy of the selftests from the
# commits of build/linux. --check only says whether that would change anything.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

[ -f "$applied" ] || die $EX_BUILD "build/linux is not there: \`make tree\` first"
if [ -d "$linux/.git/rebase-apply" ] || [ -d "$linux/.git/rebase-merge" ]; then
	die $EX_BUILD "a git am or rebase is under way in build/linux: finish it first"
fi
[ -z "$(kgit status --porcelain)" ] ||
	die $EX_BUILD "build/linux has uncommitted changes: commit them (git -C build/linux status)"
[ -z "$(kgit rev-list --merges base..HEAD)" ] ||
	die $EX_BUILD "build/linux has merges, which cannot be patches: rebase onto base"

# Context lines and index lines are those of the base that everyone uses.
v=$(source_version "$linux")
[ "$v" = "$base_version" ] ||
	die $EX_BUILD "build/linux is based on v$v, the series on v$base_version: git am the patches to that base to export"

if bad=$(cat "$linux/.git/nstree-failed" 2>/dev/null) &&
   [ "$(kgit rev-list --count base..HEAD)" -lt "$(series_names | wc -l)" ] && [ -z "${FORCE:-}" ]; then
	die $EX_BUILD "build/linux is incomplete, $bad did not apply: git am it and the rest," \
		"or FORCE=1 to make a shorter series of it"
fi

new=$(mktemp -d -p "$build")
trap 'rm -rf "$new"' EXIT

# These flags round-trip: git am of the result gives the same patches, byte for byte.
mkdir "$new/patches"
kgit format-patch -q --zero-commit --no-signature --no-numbered --full-index \
	--no-renames --no-stat -o "$new/patches" base..HEAD
{
	echo "# BASE v$base_version"
	(cd "$new/patches" && find . -name '*.patch' -printf '%P\n' | sort)
} >"$new/series"

# commit_tests COMMIT DIR, and whether the copy of the selftests is that
commit_tests()
{
	mkdir -p "$2/$mirror"
	kgit archive "$1" "$mirror" 2>/dev/null | tar -x -C "$2" 2>/dev/null || :
}

same_tests()
{
	diff -r "$1/$mirror" "$top/$mirror" >/dev/null 2>&1 &&
		[ "$(cd "$1/$mirror" && find . -type f -perm -u+x | sort)" = \
		  "$(cd "$top/$mirror" && find . -type f -perm -u+x | sort)" ]
}

commit_tests HEAD "$new"

if [ "${1:-}" = --check ]; then
	rc=0
	mkdir -p "$patches"
	diff -qr "$new/patches" "$patches" || rc=$EX_FAIL
	diff -q "$new/series" "$series" || rc=$EX_FAIL
	same_tests "$new" || { diff -qr "$new/$mirror" "$top/$mirror" || :; rc=$EX_FAIL; }
	exit $rc
elif [ $# != 0 ]; then
	die 2 "usage: export.sh [--check]"
fi

# The copy follows the tree. Edits that were made in the copy would be lost.
if [ -d "$top/$mirror" ] && [ -z "${FORCE:-}" ] && ! same_tests "$new"; then
	commit_tests "$(tree_applied)" "$new/last"
	same_tests "$new/last" ||
		die $EX_BUILD "$mirror was edited here: make these edits in build/linux" \
			"(rsync -a --delete $mirror/ build/linux/$mirror/, git commit)," \
			"or FORCE=1 to overwrite them"
fi

# Nor are edits of patches/ and series that build/linux has not seen.
[ -e "$seen" ] || die $EX_BUILD "\`make tree\` first: it is not known which patches/ build/linux was made of"
if [ -z "${FORCE:-}" ] && ! patches_on_disk | diff "$seen" - >"$new/edits"; then
	sed 's/^/  | /' "$new/edits" >&2
	die $EX_BUILD "series or patches/ are not what build/linux was made of, see above: git am the edits" \
		"there and take them back here, or FORCE=1 to overwrite them"
fi

mkdir -p "$patches" "$top/$mirror"
# What is not of the series is not ours to remove.
{ series_names; cut -d' ' -f3- "$applied"; } | while read -r name; do
	[ -e "$new/patches/$name" ] || [ ! -e "$patches/$name" ] || { rm "$patches/$name" && echo "del. $name"; }
done
rsync -rc --out-format='%o %n' "$new/patches/" "$patches/"
rsync -c "$new/series" "$series"
rsync -rpc --delete "$new/$mirror/" "$top/$mirror/"

# From here on this is what build/linux was made from.
rm -f "$linux/.git/nstree-failed"
patches_on_disk >"$seen"
mapfile -t names < <(series_names)
mapfile -t commits < <(kgit rev-list --reverse base..HEAD)
for i in "${!names[@]}"; do
	echo "$(sha256sum <"$patches/${names[i]}" | cut -d' ' -f1) ${commits[i]} ${names[i]}"
done >"$applied"
say "series: ${#names[@]} patches"
