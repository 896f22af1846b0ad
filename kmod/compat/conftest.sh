#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# conftest.sh PROBES-DIR OUT-HEADER CC FLAG...
#
# Compiles each probe to an object (nothing is linked, so neither licences nor
# exports play a part) and writes HAVE_<NAME> for those that compile.  Two
# control probes tell whether the answers can be trusted: a broken compiler or
# KDIR would otherwise look like a kernel that has nothing.
set -eu

probes=$1
out=$2
shift 2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A probe asks whether code is right for this kernel: what gcc only warns
# about (a wrong argument type, an undeclared function) is a no.
probe() {
	"$@" -Werror=implicit-function-declaration \
		-Werror=incompatible-pointer-types -Werror=int-conversion \
		-DMODULE -DKBUILD_BASENAME='"probe"' -DKBUILD_MODNAME='"probe"' \
		-DKBUILD_MODFILE='"probe"' \
		-c -o "$work/$name.o" "$probes/$name.c" >"$work/$name.log" 2>&1
}

names=
for file in "$probes"/*.c; do
	name=$(basename "$file" .c)
	names="$names $name"
done

for name in $names; do
	probe "$@" || rm -f "$work/$name.o"
done

if [ ! -e "$work/control_builds.o" ]; then
	echo "conftest: the control probe does not build; its compiler output:" >&2
	cat "$work/control_builds.log" >&2
	exit 1
fi
if [ -e "$work/control_fails.o" ]; then
	echo "conftest: the probe that must fail builds: no answer can be trusted" >&2
	exit 1
fi

{
	echo "/* Made by compat/conftest.sh; do not edit. */"
	for name in $names; do
		case $name in control_*) continue ;; esac
		macro=HAVE_$(echo "$name" | tr '[:lower:]' '[:upper:]')
		if [ -e "$work/$name.o" ]; then
			echo "#define $macro 1"
		else
			echo "/* $macro: no */"
		fi
	done
} >"$out.new"
mv "$out.new" "$out"
