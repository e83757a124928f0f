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
   [ "$(kgit rev-list --count base..HEAD)" -lt "$(grep -c '^[^#]' "$series")" ] && [ -z "${FORCE:-}" ]; then
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
on_disk=$(cd "$patches" 2>/dev/null && sed '/^#/d' "$series" | xargs -r sha256sum;
	cd "$patches" 2>/dev/null && find . -type f -printf '%P\n' | sort) || :
seen=$(awk '{ print $1 "  " $3; names = names $3 "\n" } END { printf "%s", names }' "$applied")
if [ "$on_disk" != "$seen" ] && [ -z "${FORCE:-}" ]; then
	die $EX_BUILD "series or patches/ are not what build/linux was made of: \`git diff -- series patches\`" \
		"has the edits; git am them in build/linux, or FORCE=1 to overwrite them"
fi

mkdir -p "$patches" "$top/$mirror"
rsync -rc --delete --out-format='%o %n' "$new/patches/" "$patches/"
rsync -c "$new/series" "$series"
rsync -rpc --delete "$new/$mirror/" "$top/$mirror/"

# From here on this is what build/linux was made from.
rm -f "$linux/.git/nstree-failed"
mapfile -t names < <(sed '/^#/d' "$series")
mapfile -t commits < <(kgit rev-list --reverse base..HEAD)
for i in "${!names[@]}"; do
	echo "$(sha256sum <"$patches/${names[i]}" | cut -d' ' -f1) ${commits[i]} ${names[i]}"
done >"$applied"
say "series: ${#names[@]} patches"
