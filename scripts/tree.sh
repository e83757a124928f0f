#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tree.sh: make build/linux a git tree of the base plus the series, each patch a
# commit. Does nothing if it is that already; applies only what changed otherwise.
#
# tree.sh clean: remove build/
#
# Both refuse to throw away work that has not been exported.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

origin=$linux/.git/nstree-origin	# what the base was made of

remedy="\`make export\` writes it to patches/ (commit it first), \`rm -rf build/linux\` drops it"

if [ "${1:-}" = clean ]; then
	! why=$(tree_unexported) || die $EX_BUILD "$why: $remedy"
	rm -rf "$build"
	exit
elif [ $# != 0 ]; then
	die 2 "usage: tree.sh [clean]"
fi

mkdir -p "$build/log"
exec 9>"$build/.tree.lock"
flock 9

import_base()
{
	local src=$1 new=$2 version

	rm -rf "$new"
	unpack "$src" "$new" && cd "$new" || return
	version=$(source_version "$new")
	git init -q -b main . || return
	git config gc.auto 0
	git config core.fsync none
	git config core.looseCompression 1
	git config advice.detachedHead false
	git add -Af . || return
	# The same commit on every machine
	GIT_AUTHOR_NAME=nstree GIT_AUTHOR_EMAIL=nstree@localhost \
	GIT_COMMITTER_NAME=nstree GIT_COMMITTER_EMAIL=nstree@localhost \
	GIT_AUTHOR_DATE='1 Jan 2026 00:00:00 +0000' GIT_COMMITTER_DATE='1 Jan 2026 00:00:00 +0000' \
		git commit -q --no-gpg-sign --no-verify -m "Linux $version" || return
	git tag base
}

# A tree that is there stays unless another base is asked for.
if [ -n "${KSRC:-}${BASE_TARBALL:-}" ]; then
	want=$(realpath -m "${KSRC:-$BASE_TARBALL}")
	if [ -e "$want/.git" ]; then
		[ -z "$(git -C "$want" status --porcelain -uno)" ] ||
			say "note: $want has uncommitted changes, which are left out"
		want="$want $(git -C "$want" rev-parse HEAD)"
	elif [ -e "$want" ]; then
		# Names, sizes and times are enough to see that it is another one.
		want="$want $(find "$want" -type f -printf '%P %s %T@\n' | LC_ALL=C sort | sha256sum | cut -d' ' -f1)"
	fi
else
	want=$base_version
fi
have=$(cat "$origin" 2>/dev/null) || have=

if [ "$want" = "$base_version" ] && [ "${have#/}" != "$have" ]; then
	want=$have	# named once is enough
	say "base: ${have% *}, as named before (rm -rf build/linux for v$base_version)"
fi

if [ "$have" != "$want" ]; then
	! why=$(tree_unexported) || die $EX_BUILD "another base is asked for ($want), but $why: $remedy"
	src=$("$top/scripts/fetch.sh")
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 \
	run_logged "$build/log/tree.log" "unpacking ${src##*/} into build/linux" import_base "$src" "$build/linux.new" ||
		die $EX_BUILD "cannot unpack $src: is it complete, and the disk not full? (2.5 GB are needed)"
	rm -rf "$linux" "$build/base/linux" "$build/each/linux"
	mv "$build/linux.new" "$linux"
	echo "$want" >"$origin"
	: >"$applied"
fi

# Who commits: as in this repository, so that work on the tree is by the same person.
name=$(git -C "$top" config user.name) && kgit config user.name "$name" || name=nstree
email=$(git -C "$top" config user.email) && kgit config user.email "$email" || email=nstree@localhost

# The series as it is on disk, in the forms that this base asks for: "sha256 file" per
# patch. What is not for this base has "-" and its name for a checksum and is an empty
# commit, so that a patch has the same place on every base.
mapfile -t guards < <(guards_in "$linux" base)
wanted=() forms=() sums=()
while read -r p form; do
	wanted+=("$p")
	if [ "${form#-}" = "$form" ]; then
		[ -f "$patches/$form" ] || die $EX_BUILD "series names $form, which is not in patches/"
		sums+=("$(sha256sum <"$patches/$form" | cut -d' ' -f1)")
		forms+=("$patches/$form")
	else
		other=$(find "$patches" -name "$p" | head -n 1)
		[ -n "$other" ] || die $EX_BUILD "series names $p, which is not in patches/"
		sums+=("-$p")
		mkdir -p "$build/empty"
		sed '/^diff --git /,$d' "$other" >"$build/empty/$p"
		forms+=("$build/empty/$p")
	fi
done < <(series_forms "${guards[@]}")
mapfile -t old <"$applied"

on_disk=$(patches_on_disk)
record_seen()
{
	printf '%s' "${on_disk:+$on_disk$'\n'}" >"$seen"
}

n=0
for sum in "${sums[@]}"; do
	[ "${sum#-}" = "$sum" ] || n=$((n + 1))
done
empty=
[ $n = 0 ] || empty=", $n of them not for this one"

keep=0 commit=$(kgit rev-parse base)
while [ $keep -lt ${#wanted[@]} ] && [ $keep -lt ${#old[@]} ] &&
      [ "${sums[keep]}" = "${old[keep]%% *}" ]; do
	read -r _ commit _ <<<"${old[keep]}"
	keep=$((keep + 1))
done

if [ $keep = ${#wanted[@]} ] && [ $keep = ${#old[@]} ] && [ ! -e "$linux/.git/nstree-failed" ]; then
	if why=$(tree_unexported); then
		say "note: $why; left as it is"
	else
		say "build/linux is up to date: base and ${#wanted[@]} patches$empty"
	fi
	record_seen
	exit
fi

! why=$(tree_unexported) || die $EX_BUILD "series or patches/ changed, but $why: $remedy"

# What git writes again with the content that it had keeps its time, or an edit of
# one patch would rebuild all that the patches after it touch.
before=$(kgit rev-parse HEAD)
times=$build/.tree.times
kgit diff --name-only --diff-filter=d "$commit" "$before" |
	(cd "$linux" && xargs -r -d '\n' stat -c '%.9Y %n') >"$times"

keep_times()
{
	local t f

	while read -r t f; do
		if [ "$(kgit rev-parse -q --verify "$before:$f")" = "$(kgit rev-parse -q --verify "HEAD:$f")" ]; then
			touch -d "@$t" "$linux/$f"
		fi
	done <"$times"
	rm -f "$times"
}

# "sum commit name" per patch that is in the tree
record()
{
	local i=0 c

	rm -f "$linux/.git/nstree-failed"
	for c in $(kgit rev-list --reverse base..HEAD); do
		echo "${sums[i]} $c ${wanted[i]}"
		i=$((i + 1))
	done >"$applied"
	record_seen
}

say "build/linux: $keep of its ${#old[@]} patches stay, $((${#wanted[@]} - keep)) to apply"
kgit reset -q --hard "$commit"

todo=("${forms[@]:keep}")
if [ ${#todo[@]} != 0 ] &&
   ! (cd "$patches" && GIT_COMMITTER_NAME=$name GIT_COMMITTER_EMAIL=$email \
	kgit am -q --committer-date-is-author-date --no-gpg-sign --no-3way --empty=keep \
		"${todo[@]}" >"$build/log/am.log" 2>&1 </dev/null); then
	n=$(cat "$linux/.git/rebase-apply/next" 2>/dev/null) || n=1
	bad=${todo[n - 1]#"$patches/"}
	kgit am --quit || :
	kgit reset -q --hard
	keep_times
	record
	echo "$bad" >"$linux/.git/nstree-failed"
	sed 's/^/  | /' "$build/log/am.log" >&2
	if kgit apply --check --reverse "$patches/$bad" 2>/dev/null; then
		die $EX_BUILD "$bad is already applied: this base has it; remove it, or give it a guard (series.older)"
	fi
	die $EX_BUILD "$bad does not apply; build/linux has what comes before it." \
		"\`cd $linux && git am -3 $patches/$bad\` (or --reject), resolve, git am --continue;" \
		"then \`make export\`, and \`make tree\` for the rest"
fi

keep_times
record
say "build/linux: base and ${#wanted[@]} patches$empty; $((${#wanted[@]} - keep)) applied now"
