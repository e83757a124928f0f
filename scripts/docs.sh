#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# docs.sh man		are the manual pages well-formed, and their examples those that the
#			selftests run?
# docs.sh examples	put these into the pages
# docs.sh rst		do the pages of the series in Documentation/ build without warnings?
#
# Exit code 77: a tool is missing, and named in the last line.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

dir=$build/verify/docs
examples=$linux/$mirror/examples
skipped=77

have()
{
	command -v "$1" >/dev/null || { echo "no $1: apt-get install $2"; exit $skipped; }
}

# A C file as the text between .EX and .EE
escape()
{
	echo .EX
	expand -t 4 "$1" | sed 's/\\/\\e/g; s/-/\\-/g; s/'\''/\\[aq]/g; s/`/\\[ga]/g
		s/\^/\\[ha]/g; s/~/\\[ti]/g; s/^\./\\\&./'
	echo .EE
}

# with_examples PAGE: the page, with the examples as they are in the tree
with_examples()
{
	local line name

	while IFS= read -r line; do
		[ -z "${name:-}" ] || [[ $line == '.\" SRC END' ]] || continue
		printf '%s\n' "$line"
		name=
		if [[ $line == '.\" SRC BEGIN ('*')' ]]; then
			name=${line#*\(}
			escape "$examples/${name%\)}"
		fi
	done <"$1"
}

man_pages()
{
	find "$top/man" -name '*.[1-9]' | sort
}

check_man()
{
	local page rc=0

	have mandoc mandoc
	have groff groff-base
	mkdir -p "$dir"
	[ -n "$(man_pages)" ] || { echo "no page in $top/man"; return 1; }
	for page in $(man_pages); do
		mandoc -Tlint -W warning "$page" || rc=1
		# What is not there is not a warning for it.
		groff -ww -man -Tutf8 -z "$page" 2>&1 | sed "s|^|${page#"$top"/}: |" | grep . && rc=1
		with_examples "$page" >"$dir/page"
		diff -u --label "${page#"$top"/}" --label 'with the examples that the selftests run' \
			"$page" "$dir/page" || { echo "scripts/docs.sh examples puts them in"; rc=1; }
	done
	return $rc
}

write_examples()
{
	local page

	mkdir -p "$dir"
	for page in $(man_pages); do
		with_examples "$page" >"$dir/page"
		cmp -s "$page" "$dir/page" || { cp "$dir/page" "$page"; echo "${page#"$top"/}"; }
	done
}

# The pages that the series adds or changes. An index is only looked into.
rst_pages()
{
	git -C "$linux" diff --name-only --diff-filter=AM base HEAD -- 'Documentation/*.rst' |
		grep -v '/index\.rst$'
}

# With the configuration of `make htmldocs`, but of these pages alone, which takes seconds.
check_rst()
{
	local page rc=0 ref

	have sphinx-build python3-sphinx
	rm -rf "$dir/src" "$dir/html"
	mkdir -p "$dir/src"
	printf 'Pages of the series\n===================\n\n.. toctree::\n\n' >"$dir/src/index.rst"
	for page in $(rst_pages); do
		mkdir -p "$dir/src/$(dirname "$page")"
		cp "$linux/$page" "$dir/src/$page"
		echo "   ${page%.rst}" >>"$dir/src/index.rst"
		grep -qx " *$(basename "$page" .rst)" "$linux/$(dirname "$page")/index.rst" ||
			{ echo "$page is not in the index of its directory"; rc=1; }
		while read -r ref; do
			[ -e "$linux/$ref" ] || { echo "$page: there is no $ref"; rc=1; }
		done < <(grep -oE 'Documentation/[A-Za-z0-9_/.-]+\.rst' "$linux/$page")
	done
	cd "$linux"
	PYTHONDONTWRITEBYTECODE=1 srctree=$linux sphinx-build -q -b html -c "$linux/Documentation" \
		-d "$dir/doctrees" -D kerneldoc_srctree="$linux" \
		-D kerneldoc_bin="$linux/scripts/kernel-doc.py" -D version=6.18 -D release=6.18 \
		"$dir/src" "$dir/html" >"$dir/sphinx" 2>&1 || rc=1
	# Not that programs for pictures are missing.
	grep -E 'WARNING|ERROR|CRITICAL|[Ee]xception' "$dir/sphinx" |
		grep -vE 'dot\(1\)|graphviz|ImageMagick|convert\(1\)|rsvg-convert|[Ii]nkscape' && rc=1
	for page in $(rst_pages); do
		[ -s "$dir/html/${page%.rst}.html" ] || { echo "$page was not built"; rc=1; }
	done
	return $rc
}

[ $# = 1 ] || die 2 "usage: docs.sh man|examples|rst"
case $1 in
man)		check_man ;;
examples)	write_examples ;;
rst)		check_rst ;;
*)		die 2 "usage: docs.sh man|examples|rst" ;;
esac
