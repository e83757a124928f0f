#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tree.sh: make build/linux a git tree of the base plus the series, each patch a
# commit. Does nothing if it is that already. A patch that does not apply leaves git am in
# the middle of it, as it would anywhere.
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
fi

# Who commits: as in this repository, so that work on the tree is by the same person.
name=$(git -C "$top" config user.name) && kgit config user.name "$name" || name=nstree
email=$(git -C "$top" config user.email) && kgit config user.email "$email" || email=nstree@localhost

# Nothing is to be applied if they say the same.
patches_synced ||
	[ "$(kgit rev-parse HEAD)" = "$(kgit rev-parse base)" ] || [ -n "$(kgit status --porcelain)" ] ||
	! "$top/scripts/export.sh" --check >/dev/null 2>&1 || synced_now

# The series in the forms that this base asks for. What is not for it is an empty commit,
# so that a patch has the same place on every base.
mapfile -t guards < <(guards_in "$linux" base)
todo=() n=0
while read -r p form; do
	file=$patches/$form
	[ "${form#-}" = "$form" ] || file=$(find "$patches" -name "$p" | head -n 1)
	[ -f "$file" ] || die $EX_BUILD "series names $p, which is not in patches/"
	if [ "${form#-}" != "$form" ]; then
		mkdir -p "$build/empty"
		sed '/^diff --git /,$d' "$file" >"$build/empty/$p"
		file=$build/empty/$p
		n=$((n + 1))
	fi
	todo+=("$file")
done < <(series_forms "${guards[@]}")
what="base and ${#todo[@]} patches"
[ $n = 0 ] || what+=", $n of them not for this one"

why=$(tree_unexported) || why=
if [ "$(head -n 1 "$synced" 2>/dev/null)" = none ]; then
	[ -z "$why" ] || die $EX_BUILD "not all patches did apply, and $why: $remedy"
elif patches_synced; then
	if [ -n "$why" ]; then
		say "note: $why; left as it is"
	else
		say "build/linux is up to date: $what"
	fi
	exit
fi
[ -z "$why" ] || die $EX_BUILD "series or patches/ changed, but $why: $remedy"

# What git writes again with the content that it had keeps its time, or an edit of
# one patch would rebuild all that the others touch.
before=$(kgit rev-parse HEAD)
times=$build/.tree.times
kgit diff --name-only --diff-filter=d base "$before" |
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

say "build/linux: applying $what"
kgit reset -q --hard base
{ echo none; patches_on_disk; } >"$synced"
am=(am --committer-date-is-author-date --no-gpg-sign --empty=keep)
if [ ${#todo[@]} != 0 ] &&
   ! GIT_COMMITTER_NAME=$name GIT_COMMITTER_EMAIL=$email \
	kgit "${am[@]}" -q --no-3way "${todo[@]}" >"$build/log/am.log" 2>&1 </dev/null; then
	keep_times
	sed 's/^/  | /' "$build/log/am.log" >&2
	bad=${todo[$(cat "$linux/.git/rebase-apply/next") - 1]}
	if kgit apply --check --reverse "$bad" 2>/dev/null; then
		kgit am --abort
		die $EX_BUILD "${bad#"$patches/"} is already applied: this base has it; remove it, or give it a guard (series.older)"
	fi
	die $EX_BUILD "${bad#"$patches/"} does not apply; build/linux has what comes before it." \
		"In $linux: \`git apply --reject $bad\`, resolve, git add, git ${am[*]/am/am --continue};" \
		"then \`make export\`. Or git am --abort, and another patch"
fi
keep_times
synced_now
say "build/linux: $what"
