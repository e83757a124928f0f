#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# export.sh [--check]: write patches/, series* and the copy of the selftests from the
# commits of build/linux. --check only says whether that would change anything.
#
# What is written are the forms for the base of build/linux: on that of everyone, all
# that it takes; on another, only those that are not for that one as well. A patch that
# must have two forms gets a line in series.older first, by hand, with its guards.
#
#	PAIRED=1	the two forms of every patch say the same, though only one was changed

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

[ -d "$linux/.git" ] || die $EX_BUILD "build/linux is not there: \`make tree\` first"
if [ -d "$linux/.git/rebase-apply" ] || [ -d "$linux/.git/rebase-merge" ]; then
	die $EX_BUILD "a git am or rebase is under way in build/linux: finish it first"
fi
[ -z "$(kgit status --porcelain)" ] ||
	die $EX_BUILD "build/linux has uncommitted changes: commit them (git -C build/linux status)"
[ -z "$(kgit rev-list --merges base..HEAD)" ] ||
	die $EX_BUILD "build/linux has merges, which cannot be patches: rebase onto base"

# The text of a form that the base of everyone, v$base_version, takes is of that base; that of
# another one is of whichever base takes it.
v=$(source_version "$linux")
canonical=
[ "$v" != "$base_version" ] || canonical=1

mapfile -t guards < <(guards_in "$linux" base)
declare -A old_form=() shared=()
old_names=()
while read -r name form; do
	old_names+=("$name")
	old_form[$name]=$form
done < <(series_forms "${guards[@]}")
mapfile -t guards < <(guards_at "$base_version")
while read -r name form; do
	[ "${form#-}" != "$form" ] || shared[$form]=1
done < <(series_forms "${guards[@]}")

if [ "$(head -n 1 "$synced" 2>/dev/null)" = none ] && [ -z "${FORCE:-}" ] &&
   [ "$(kgit rev-list --count base..HEAD)" -lt ${#old_names[@]} ]; then
	die $EX_BUILD "build/linux is incomplete, not all patches did apply: \`make tree\`," \
		"or FORCE=1 to make a shorter series of it"
fi

new=$(mktemp -d -p "$build")
trap 'rm -rf "$new"' EXIT

# These flags round-trip: git am of the result gives the same patches, byte for byte.
# What is not for this base is an empty commit.
mkdir "$new/tree" "$new/patches"
kgit format-patch -q --zero-commit --no-signature --no-numbered --full-index \
	--no-renames --no-stat --always -o "$new/tree" base..HEAD
mapfile -t names < <(cd "$new/tree" && find . -name '*.patch' -printf '%P\n' | sort)

# Which commit is which patch: by what is left of the name without the number; else,
# where none came or went, by its place.
declare -A of_slug=() renamed=() old_of=()
for name in "${old_names[@]}"; do
	of_slug[${name#*-}]=$name
done
for name in "${names[@]}"; do
	o=${of_slug[${name#*-}]:-}
	[ -z "$o" ] || { old_of[$name]=$o; renamed[$o]=$name; }
done
if [ ${#names[@]} = ${#old_names[@]} ]; then
	for i in "${!names[@]}"; do
		name=${names[i]} o=${old_names[i]}
		if [ -z "${old_of[$name]:-}" ] && [ -z "${renamed[$o]:-}" ]; then
			old_of[$name]=$o renamed[$o]=$name
		fi
	done
fi

# All forms of what remains, under its name of now
mapfile -t old_paths < <(cat "$older" "$series" 2>/dev/null | sed 's/[[:space:]]*#.*//; /^[[:space:]]*$/d')
for path in "${old_paths[@]}"; do
	to=${renamed[${path##*/}]:-}
	[ -n "$to" ] || continue
	[ -e "$patches/$path" ] || continue
	[ "$path" = "${path##*/}" ] || to=${path%/*}/$to
	mkdir -p "$(dirname "$new/patches/$to")"
	cp "$patches/$path" "$new/patches/$to"
done

for name in "${names[@]}"; do
	from=$new/tree/$name
	o=${old_of[$name]:-}
	form=${o:+${old_form[$o]}}
	form=${form:-$name}
	if ! grep -q '^diff --git ' "$from"; then
		[ "${form#-}" != "$form" ] || die $EX_BUILD "${name%.patch}: an empty commit, but $form is for this base:" \
			"drop the commit, or have a guard leave the patch out (series.older)"
	elif [ "${form#-}" != "$form" ]; then
		die $EX_BUILD "${name%.patch} changes something, but its guard ${form#-} leaves it out on this base (series.older)"
	else
		to=$new/patches/$name
		[ "$form" = "${form##*/}" ] || to=$new/patches/${form%/*}/$name
		mkdir -p "${to%/*}"
		if [ -n "$canonical" ] || [ ! -e "$to" ]; then
			cp "$from" "$to"
		elif ! cmp -s <(changes <"$from") <(changes <"$to"); then
			[ -z "${shared[$form]:-}" ] || die $EX_BUILD "$name is not what it is on v$base_version, which takes" \
				"the same form: make the change there, or name a form for older bases in series.older"
			cp "$from" "$to"
		fi
	fi
	# One message for all forms
	sed '/^diff --git /,$d' "$from" >"$new/head"
	grep -q '^diff --git ' "$from" || echo >>"$new/head"
	while read -r to; do
		{ cat "$new/head"; sed -n '/^diff --git /,$p' "$to"; } >"$new/form"
		path=${to#"$new/patches/"}
		if [ -z "$canonical" ] && [ -n "${shared[${path%"$name"}$o]:-}" ] && ! cmp -s "$new/form" "$to"; then
			die $EX_BUILD "$name: its message is not what it is on v$base_version: change it there"
		fi
		cp "$new/form" "$to"
	done < <(find "$new/patches" -name "$name")
done

sum_of()
{
	changes <"$1" | sha256sum | cut -c 1-8
}

# relist FILE [NAME...]: the same list with the names of now, and what is new. Comments
# stay with what they precede, those at the top at the top.
relist()
{
	local list=$1 line path name to rest n=0 top_line='' before='' recorded now

	shift
	: >"$new/order"
	: >"$new/blocks"
	while IFS= read -r line; do
		path=${line%%[[:space:]]*} name=${path##*/}
		if [ -z "$path" ] || [ "${path#\#}" != "$path" ]; then
			before+=$line$'\n'
			if [ -z "$top_line" ] && { [ -z "$path" ] || [[ $line == '# BASE '* ]]; }; then
				printf '%s' "$before"
				top_line=1 before=
			fi
			continue
		fi
		top_line=1
		to=${renamed[$name]:-}
		[ -n "$to" ] || continue
		[ "$path" = "$name" ] || to=${path%/*}/$to
		[ -e "$new/patches/$to" ] || continue
		rest=${line#"$path"}
		# One of two forms: what they were like when they last said the same
		if [ "$path" != "$name" ] && [ -e "$new/patches/${to##*/}" ]; then
			now=$(sum_of "$new/patches/$to"):$(sum_of "$new/patches/${to##*/}")
			recorded=$(sed -n 's/.* #=\([0-9a-f:]*\)$/\1/p' <<<"$rest")
			if [ -z "$recorded" ] || [ -n "${PAIRED:-}" ] ||
			   { [ "${recorded%:*}" != "${now%:*}" ] && [ "${recorded#*:}" != "${now#*:}" ]; }; then
				rest="${rest% #=*} #=$now"
			fi
		fi
		n=$((n + 1))
		printf '%s%s\n' "$before" "$to$rest" >"$new/block.$n"
		printf '%s %04d\n' "${to##*/}" $n >>"$new/order"
		before=
	done <"$list"
	for name; do
		n=$((n + 1))
		echo "$name" >"$new/block.$n"
		printf '%s %04d\n' "$name" $n >>"$new/order"
	done
	LC_ALL=C sort "$new/order" | while read -r name n; do
		cat "$new/block.$((10#$n))"
	done
	printf '%s' "$before"
}

added=()
for name in "${names[@]}"; do
	[ -n "${old_of[$name]:-}" ] || added+=("$name")
done
echo "# BASE v$base_version" >"$new/none"
was=$series
[ -e "$was" ] || was=$new/none
relist "$was" "${added[@]}" >"$new/series"
[ ! -e "$older" ] || relist "$older" >"$new/series.older"

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

# The copy is of that base, too.
if [ -z "$canonical" ]; then
	same_tests() { :; }
fi

if [ "${1:-}" = --check ]; then
	rc=0
	mkdir -p "$patches"
	diff -qr "$new/patches" "$patches" || rc=$EX_FAIL
	diff -q "$new/series" "$series" || rc=$EX_FAIL
	[ ! -e "$older" ] || diff -q "$new/series.older" "$older" || rc=$EX_FAIL
	same_tests "$new" || { diff -qr "$new/$mirror" "$top/$mirror" || :; rc=$EX_FAIL; }
	exit $rc
elif [ $# != 0 ]; then
	die 2 "usage: export.sh [--check]"
fi

# The copy follows the tree. Edits that were made in the copy would be lost.
if [ -d "$top/$mirror" ] && [ -z "${FORCE:-}" ] && ! same_tests "$new"; then
	commit_tests "$(head -n 1 "$synced" 2>/dev/null)" "$new/last"
	same_tests "$new/last" ||
		die $EX_BUILD "$mirror was edited here: make these edits in build/linux" \
			"(rsync -a --delete $mirror/ build/linux/$mirror/, git commit)," \
			"or FORCE=1 to overwrite them"
fi

# Nor are edits of patches/ and series that build/linux has not seen.
if [ -z "${FORCE:-}" ] && ! diff <(tail -n +2 "$synced") <(patches_on_disk) >"$new/edits" 2>&1; then
	sed 's/^/  | /' "$new/edits" >&2
	die $EX_BUILD "series or patches/ are not what build/linux was made of, see above: git am the edits" \
		"there and take them back here, or FORCE=1 to overwrite them"
fi

mkdir -p "$patches" "$top/$mirror"
# What is not of the series is not ours to remove.
for path in "${old_paths[@]}"; do
	[ -e "$new/patches/$path" ] || [ ! -f "$patches/$path" ] || { rm "$patches/$path" && echo "del. $path"; }
done
rsync -rc --out-format='%o %n' "$new/patches/" "$patches/"
rsync -c "$new/series" "$series"
[ ! -e "$older" ] || rsync -c "$new/series.older" "$older"
[ -z "$canonical" ] ||
	rsync -rpc --delete "$new/$mirror/" "$top/$mirror/"

synced_now
say "series: ${#names[@]} patches"
