#!/bin/sh
# The example plugin builds outside the tree with pkg-config only, from the
# build tree and from what `make install` would install, and does its work; so
# does the one that stands in the guide.
set -eu
top=$(cd "${C4_SRCDIR:-.}" && pwd)
build=$(cd "${C4_BUILDDIR:-.}" && pwd)
pkg_config=${PKG_CONFIG:-pkg-config}
"$pkg_config" --version > /dev/null 2>&1 || { echo "no $pkg_config"; exit 77; }

work=$(mktemp -d "${TMPDIR:-/tmp}/c4-example.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Four objects along a line, in mixed order: neighbours end up together.
check()
{
    cp "$top"/plugins/example/* "$work/$1/"
    chmod -R u+w "$work/$1"
    make -s -C "$work/$1" CFLAGS='-std=c11 -O2 -Wall -Wextra -Werror' CC="${CC:-cc}"
    cat > "$work/case" <<END
strategy $2
npes 2
load 1 1 1 1
position 30 10 40 20
map 1 0 1 0
END
    C4_PLUGIN_PATH="$work/$1" "$build/tests/unit/lb_cases" "$work/case"
}

mkdir "$work/uninstalled"
PKG_CONFIG_PATH=$build check uninstalled "$work/uninstalled/strips.so"

# Headers and pkg-config file as installed, below a root of our own.
mkdir "$work/root" "$work/installed"
make -s -C "$build" install-includeHEADERS install-pkgconfigDATA DESTDIR="$work/root" > /dev/null
pc=$(find "$work/root" -name c4.pc)
[ -n "$pc" ] || { echo "make install does not install c4.pc"; exit 1; }
PKG_CONFIG_PATH=${pc%/c4.pc} PKG_CONFIG_SYSROOT_DIR=$work/root PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 \
    check installed strips,dimension=0

PKG_CONFIG_PATH=$build make -s -C "$work/installed" install DESTDIR="$work/found"
[ -n "$(find "$work/found" -name strips.so)" ] || { echo "strips.so was not installed"; exit 1; }

# The guide's plugin, built as the guide says: PE 0 is the slowest.
awk '/^\/\* hop.c/ { code = 1 } /^```/ { code = 0 } code' "$top/doc/load-balancing.md" > "$work/hop.c"
cd "$work"
PKG_CONFIG_PATH=$build
export PKG_CONFIG_PATH
${CC:-cc} -O2 -Wall -Wextra -Werror `"$pkg_config" --cflags c4` -shared -fPIC -o hop.so hop.c
printf 'strategy ./hop.so:HopLB\nnpes 3\nload 2 2 3\npe 0 0 1\nmap 1 1 1\n' > case
"$build/tests/unit/lb_cases" case
