#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# report.sh LOGDIR|ARCH: the verdict on one boot, from what boot.sh left in LOGDIR
# (scripts/judge/verdict.py). The exit code says what it was (scripts/common.sh).
# LOGDIR/summary holds it for test.sh: passed, failed, skipped.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

log=${1:?usage: report.sh LOGDIR|ARCH}
if [ ! -d "$log" ]; then
	arch_load "$log"
	log=$out/log
fi
judge report "$log"
