"""Tells configure whether this Python can carry c4, and where it keeps things.

find-python.py PREFIX DEFAULT_PREFIX prints one line that says what is missing,
or "ok" and then lines "key: value".
"""
import os
import site
import sys
import sysconfig


def module_dir(prefix, name):
    """The directory under prefix that this Python searches for modules."""
    paths = site.getsitepackages()
    for path in paths:
        if path.startswith(prefix.rstrip("/") + "/lib"):
            return "${prefix}" + path[len(prefix.rstrip("/")):]
    # Elsewhere the user names it in PYTHONPATH: keep this system's words.
    return "${prefix}/lib/%s/%s" % (name, os.path.basename(paths[0]))


def greenlet_include(greenlet):
    """The directory to include <greenlet/greenlet.h> from, or None."""
    above = os.path.dirname(os.path.dirname(greenlet.__file__))
    for place in (above, sysconfig.get_path("include"), sysconfig.get_path("platinclude"),
                  os.path.join(sys.prefix, "include", "site",
                               "python%d.%d" % sys.version_info[:2])):
        if os.path.exists(os.path.join(place, "greenlet", "greenlet.h")):
            return place
    return None


def main():
    prefix = sys.argv[1] if sys.argv[1] != "NONE" else sys.argv[2]
    if sys.version_info < (3, 11):
        return "Python %d.%d is older than 3.11" % sys.version_info[:2]
    include = sysconfig.get_path("include")
    if not os.path.exists(os.path.join(include, "Python.h")):
        return "has no headers (Python.h)"
    try:
        import greenlet
    except ImportError:
        return "has no greenlet"
    greenlet_dir = greenlet_include(greenlet)
    if greenlet_dir is None:
        return "has greenlet without its header (greenlet/greenlet.h)"
    try:
        import numpy
        numpy_version = numpy.__version__
    except ImportError:
        numpy_version = "no (install python3-numpy to send arrays)"
    cflags = ["-I" + include]
    if sysconfig.get_path("platinclude") != include:
        cflags.append("-I" + sysconfig.get_path("platinclude"))
    if greenlet_dir not in (include, sysconfig.get_path("platinclude")):
        cflags.append("-I" + greenlet_dir)
    if not numpy_version.startswith("no"):
        # its headers give warnings that are not ours
        cflags.append("-isystem " + numpy.get_include() + " -DHAVE_NUMPY")
    print("ok")
    print("exe: " + os.path.abspath(sys.executable))
    print("version: %d.%d.%d" % sys.version_info[:3])
    print("cflags: " + " ".join(cflags))
    print("embed: -L%s -lpython%s" % (sysconfig.get_config_var("LIBDIR"),
                                      sysconfig.get_config_var("LDVERSION")))
    print("dir: " + module_dir(prefix, "python%d.%d" % sys.version_info[:2]))
    print("greenlet: " + greenlet.__version__)
    print("numpy: " + numpy_version)
    return None


problem = main()
if problem:
    print(problem)
