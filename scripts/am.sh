#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# am.sh [TREE]: the series as commits on a new branch of a git tree of v6.18.y, in the
# forms that this tree asks for. What it has already is left out, and named. TREE may be
# a tarball or unpacked source: the branch is then in a git tree made from it.
#
#	KSRC=TREE	the same as the argument
#	AT=commit	to start from; HEAD by default
#	BRANCH=name	of the new branch; "nstree" by default
#	PARTS="names"	these parts of the series only, and what they need
#	FORCE=1		also where it is no v6.18.y
#
# Work tree, index and branches of TREE stay as they are; the new branch is there when
# all is applied, and not otherwise.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

[ $# -le 1 ] || die 2 "usage: am.sh [TREE]: see the top of scripts/am.sh"
tree=${1:-${KSRC:-}}
[ -n "$tree" ] || die 2 "which tree? make am KSRC=/my/linux, or scripts/am.sh /my/linux"
tree=$(realpath -e "$tree" 2>/dev/null) || die 2 "${1:-$KSRC}: not there"
branch=${BRANCH:-nstree}
[ -s "$series" ] || die $EX_BUILD "$series: there is no series here"

# The patches of the parts that were asked for, and of what they need
declare -A wanted=()
if [ -n "${PARTS:-}" ]; then
	[ -n "$(part_names)" ] || die 2 "PARTS=\"$PARTS\": series has no parts"
	for p in $PARTS; do
		part_names | grep -xF -e "$p" >/dev/null || die 2 "PARTS: no part '$p': there are $(part_names | xargs)"
	done
	# shellcheck disable=SC2086	# words
	while read -r p; do
		wanted[$p]=1
	done < <(part_patches $PARTS)
fi

mkdir -p "$build"
scratch=$(mktemp -d -p "$build")
trap 'rm -rf "$scratch"' EXIT

# The settings of the user must not change what is applied; who commits is theirs.
agit()
{
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 git -C "$scratch/git" "$@"
}

version=$(source_version "$tree")
case $version in
6.18|6.18.*)	;;
*)		[ -n "${FORCE:-}" ] || die $EX_BUILD "$tree: ${version:+v}${version:-no kernel source}, but the series is" \
			"for v6.18.y (FORCE=1 tries all the same)" ;;
esac

if [ ! -e "$tree/.git" ]; then
	new=$build/am/linux-$version
	[ ! -e "$new" ] || die $EX_BUILD "$new is there already: use that as the tree, or remove it"
	[ ! -e "$tree/include/config" ] || die $EX_BUILD "$tree has been built in: \`make mrproper\` there first"
	say "$tree is no git tree: making one in $new"
	unpack "$tree" "$scratch/linux"
	git init -q -b base "$scratch/linux"
	git -C "$scratch/linux" add -Af .
	git -C "$scratch/linux" -c user.name=nstree -c user.email=nstree@localhost \
		commit -q --no-gpg-sign --no-verify -m "Linux $version"
	tree=$scratch/linux
fi

start=$(git -C "$tree" rev-parse -q --verify "${AT:-HEAD}^{commit}") || die 2 "$tree: no commit ${AT:-HEAD}"
git check-ref-format "refs/heads/$branch" || die 2 "BRANCH=$branch: no name for a branch"
! git -C "$tree" rev-parse -q --verify "refs/heads/$branch" >/dev/null ||
	die $EX_BUILD "$tree has a branch $branch already: BRANCH=another-name, or git branch -D $branch"

newest=$(sed -n 's/^# BASE v//p' "$series")
if [ "$(printf '%s\n' "$version" "$newest" | sort -V | tail -n 1)" != "$newest" ]; then
	say "note: v$version is newer than v$newest, the newest that the series was tried on"
fi

# All of it happens in a repository of its own, which borrows the objects of the user's
# and has the files that the series touches, no others.
git init -q --object-format="$(git -C "$tree" rev-parse --show-object-format)" "$scratch/git"
(cd "$tree" && realpath "$(git rev-parse --git-path objects)") >"$scratch/git/.git/objects/info/alternates"
shallow=$(cd "$tree" && realpath "$(git rev-parse --git-path shallow)")
[ ! -e "$shallow" ] || cp "$shallow" "$scratch/git/.git/shallow"
mapfile -t guards < <(guards_in "$tree" "$start")
mapfile -t list < <(series_forms "${guards[@]}")
for p in "${list[@]}"; do
	form=${p#* }
	[ "${form#-}" != "$form" ] || sed -n 's|^diff --git a/\(.*\) b/.*|/\1|p' "$patches/$form"
done | sort -u >"$scratch/git/.git/info/sparse-checkout"
agit config core.sparseCheckout true
agit config gc.auto 0
agit config core.fsync none
agit update-ref --no-deref HEAD "$start"
agit read-tree -mu HEAD

# What a guard stands for
upstream()
{
	guards | awk -F'\t' -v g="$1" '$1 == g { print "\"" $5 "\", as v" $2 " and later" }'
}

# conflict PATCH FORM: where it does not fit, and who is likely to have changed that
conflict()
{
	local file name since f text title

	sed 's/^/  | /' "$scratch/log" >&2
	sed -n 's/^error: patch failed: \(.*\):[0-9]*$/\1/p; s/^error: \(.*\): \(does not exist in index\|already exists in index\)$/\1/p' \
		"$scratch/log" | sort -u | while read -r file; do
		echo "$file: what changed it last in this tree:"
		git -C "$tree" log -3 --no-merges --format='  %h %s' "$start" -- "$file"
		while IFS=$'\t' read -r name since f text title; do
			[ "$f" = "$file" ] || continue
			if [[ " ${guards[*]} " == *" $name "* ]]; then
				echo "  it has \"$title\", as v$since and later"
			elif grep -q "^[^#]*/$1[[:space:]]*#.*-$name\>" "$older"; then
				echo "  it may have \"$title\", as v$since and later, in other words"
			fi
		done < <(guards)
	done >&2
	die $EX_FAIL "$2 does not apply to $tree (v$version), and nothing there has changed." \
		"Another tree? See README.md, Bases"
}

name=$(git -C "$tree" config user.name) || name=nstree
email=$(git -C "$tree" config user.email) || email=nstree@localhost
agit config user.name "$name"
agit config user.email "$email"

n=0 left=0
for p in "${list[@]}"; do
	name=${p%% *} form=${p#* }
	[ -z "${PARTS:-}" ] || [ -n "${wanted[$name]:-}" ] || continue
	if [ "${form#-}" != "$form" ]; then
		title=$(upstream "${form#-}")
		case " ${guards[*]} " in
		*" ${form#-} "*)	say "left out ${name%.patch}: the tree has $title" ;;
		*)			say "left out ${name%.patch}: for a tree that has $title" ;;
		esac
		left=$((left + 1))
		continue
	fi
	if ! agit am -q --no-3way --no-gpg-sign "$patches/$form" >"$scratch/log" 2>&1 </dev/null; then
		agit am --abort >/dev/null 2>&1 || :
		agit apply --check --reverse "$patches/$form" 2>/dev/null || conflict "$name" "$form"
		say "left out ${name%.patch}: this tree has the very same change"
		left=$((left + 1))
		continue
	fi
	n=$((n + 1))
	if [ "$form" != "$name" ] && [ -e "$patches/$name" ]; then
		say "$form: another form than for v$newest"
	fi
done

# Now the user's tree: new objects, then the branch.
agit rev-list --objects HEAD --not "$start" | agit pack-objects -q --stdout >"$scratch/pack"
git -C "$tree" unpack-objects -q <"$scratch/pack"
git -C "$tree" update-ref -m "nstree: am.sh" "refs/heads/$branch" "$(agit rev-parse HEAD)" ''
if [ "$tree" = "$scratch/linux" ]; then
	git -C "$tree" checkout -q "$branch"
	mkdir -p "$build/am"
	mv "$tree" "$new"
	tree=$new
fi
say "$tree: branch $branch, $n patches on $(git -C "$tree" rev-parse --short "$start") (v$version), $left left out"
